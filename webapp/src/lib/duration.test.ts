import { expect, test } from 'vitest';
import { duration } from './duration';

test('a span is told in the units that fit it', () => {
  const spans = [0.4, 999, 1400, 59_960, 185_000, 7_800_000, 400_000_000].map(duration);
  expect(spans).toEqual([
    '0 ms',
    '999 ms',
    '1.4 s',
    '1 min 0 s',
    '3 min 5 s',
    '2 h 10 min',
    '5 days',
  ]);
});
