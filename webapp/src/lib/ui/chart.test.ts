import { expect, test } from 'vitest';
import { evenSample, summary, toneOf } from './chart';

test('a summary names the last, lowest and highest value of each series', () => {
  const series = [
    { name: 'Requests', values: [3, null, 1, 2] },
    { name: 'Errors', values: [null, null] },
  ];
  expect(summary(series, String)).toBe('Requests: last 2, lowest 1, highest 3. Errors: no values.');
});

test('a long table is sampled evenly and keeps its ends', () => {
  expect(evenSample(3, 200)).toEqual([0, 1, 2]);
  const rows = evenSample(1001, 200);
  expect(rows).toHaveLength(200);
  expect([rows[0], rows.at(-1)]).toEqual([0, 1000]);
  expect(new Set(rows).size).toBe(200);
});

test('series without a tone take the tones in order', () => {
  expect(toneOf({ name: 'a', values: [] }, 1)).toBe('gold');
  expect(toneOf({ name: 'a', values: [], tone: 'bad' }, 1)).toBe('bad');
});
