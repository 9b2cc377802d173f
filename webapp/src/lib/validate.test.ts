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
  it.each(['7', 'u.1:a@b-c_D', 'x'.repeat(128), 'é'.repeat(64), 'zoë 1/2 🛒', '  7  '])(
    'accepts %j',
    (text) => {
      expect(userIdProblem(text)).toBeNull();
    },
  );

  it.each([
    ['', /missing/],
    ['   ', /missing/],
    ['x'.repeat(129), /129 bytes; at most 128/],
    ['é'.repeat(65), /130 bytes/],
    ['a\tb', /control characters/],
    ['1\u0000', /control characters/],
    ['a\u0085b', /control characters/],
    ['~guest', /marks guests/],
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
    expect(productIdsProblem('1, 2/3, café', 'view')).toBeNull();
    expect(productIdsProblem('1, 2\u00003, 4', 'view')).toContain(
      '“2\u00003” must not contain control characters',
    );
    expect(productIdsProblem(`1, ${'9'.repeat(129)}`, 'view')).toMatch(/129 bytes/);
    // An invalid id is an error even if the event needs no product.
    expect(productIdsProblem('\u0001', 'get_recommendations')).not.toBeNull();
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
