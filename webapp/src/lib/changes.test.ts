import { expect, it } from 'vitest';
import { compareLists, describeChanges } from './changes';
import type { Recommendation } from './types';

function list(...ids: string[]): Recommendation[] {
  return ids.map((id) => ({
    product_id: id,
    product_name: id.toUpperCase(),
    aisle: '',
    department: '',
    probability: 0.5,
    reasons: [],
  }));
}

it('tells new, moved, same and gone apart', () => {
  const changes = compareLists(list('a', 'b', 'c', 'd'), list('a', 'c', 'e', 'b'));
  expect(Object.fromEntries(changes.byProduct)).toEqual({
    a: { kind: 'same' },
    c: { kind: 'moved', by: 1 },
    e: { kind: 'new' },
    b: { kind: 'moved', by: -2 },
  });
  expect(changes.left).toEqual(['D']);
  expect(describeChanges(changes)).toBe('Since the last answer: 1 new, 2 moved, 1 gone (D).');
});

it('says so when nothing moved', () => {
  expect(describeChanges(compareLists(list('a'), list('a')))).toBe(
    'Since the last answer: nothing moved.',
  );
});

it('names at most three products that are gone', () => {
  const changes = compareLists(list('a', 'b', 'c', 'd', 'e'), []);
  expect(describeChanges(changes)).toBe('Since the last answer: 5 gone (A, B, C and 2 more).');
});
