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

it('finds new, moved, unchanged and dropped products', () => {
  const changes = compareLists(list('a', 'b', 'c', 'd'), list('a', 'c', 'e', 'b'));
  expect(Object.fromEntries(changes.byProduct)).toEqual({
    a: { kind: 'same' },
    c: { kind: 'moved', by: 1 },
    e: { kind: 'new' },
    b: { kind: 'moved', by: -2 },
  });
  expect(changes.dropped).toEqual(['D']);
  expect(describeChanges(changes)).toBe('Since the last response: 1 new, 2 moved, 1 dropped (D).');
});

it('says when nothing changed', () => {
  expect(describeChanges(compareLists(list('a'), list('a')))).toBe(
    'Since the last response: no change.',
  );
});

it('names at most three dropped products', () => {
  const changes = compareLists(list('a', 'b', 'c', 'd', 'e'), []);
  expect(describeChanges(changes)).toBe('Since the last response: 5 dropped (A, B, C and 2 more).');
});
