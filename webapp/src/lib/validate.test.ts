import { describe, expect, it } from 'vitest';
import { EVENT_KINDS } from './types';
import {
  idProblem,
  isEventKind,
  MAX_PRODUCTS,
  needsProducts,
  productIdsProblem,
  splitProductIds,
  userIdProblem,
} from './validate';

describe('user id', () => {
  it.each(['7', 'u.1:a@b-c_D', 'x'.repeat(64), '  7  '])('accepts %j', (text) => {
    expect(userIdProblem(text)).toBeNull();
  });

  it.each([
    ['', /missing/],
    ['   ', /missing/],
    ['x'.repeat(65), /65 characters; at most 64/],
    ['a b', /a space/],
    ['a/b', /“\/”/],
    ['zoë', /“ë”/],
    ['🛒', /“🛒”/],
    ['1\u0000', /must not contain/],
  ])('rejects %j', (text, reason) => {
    expect(userIdProblem(text)).toMatch(reason);
  });

  it('starts the message with the given subject', () => {
    expect(idProblem('', 'The product id')).toBe('The product id is missing.');
  });
});

describe('product ids', () => {
  it('are separated by commas, semicolons, spaces and line breaks', () => {
    expect(splitProductIds(' 1, 2;3\n4\t5 ,, ')).toEqual(['1', '2', '3', '4', '5']);
    expect(splitProductIds(' , ')).toEqual([]);
  });

  it.each(EVENT_KINDS)('are required by %s only if it needs them', (kind) => {
    const refused = productIdsProblem('', kind) !== null;
    expect(refused).toBe(needsProducts(kind));
    expect(refused).toBe(['view', 'add_to_cart', 'remove_from_cart'].includes(kind));
    expect(productIdsProblem('24852', kind)).toBeNull();
  });

  it('are checked one by one, and the message names the invalid one', () => {
    expect(productIdsProblem('1, 2/3, 4', 'view')).toMatch(/“2\/3” must not contain “\/”/);
    expect(productIdsProblem(`1, ${'9'.repeat(65)}`, 'view')).toMatch(/65 characters/);
    // An invalid id is an error even if the event needs no product.
    expect(productIdsProblem('#', 'get_recommendations')).not.toBeNull();
  });

  it('are bounded', () => {
    const ids = (amount: number): string => Array.from({ length: amount }, (_, i) => i).join(',');
    expect(productIdsProblem(ids(MAX_PRODUCTS), 'view')).toBeNull();
    expect(productIdsProblem(ids(MAX_PRODUCTS + 1), 'view')).toMatch(
      /at most 200 products; these are 201/,
    );
  });
});

it('recognises event kinds', () => {
  expect(EVENT_KINDS.every(isEventKind)).toBe(true);
  expect(isEventKind('buy')).toBe(false);
});
