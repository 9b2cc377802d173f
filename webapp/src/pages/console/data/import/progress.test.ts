import { expect, test } from 'vitest';
import { paceOf, stepName, uploadProgress } from './progress';

test('a step says how far it is, how fast, and how long it takes', () => {
  expect(
    paceOf({
      step: 'reading',
      done: 25_000_000,
      total: 100_000_000,
      rows: 250_000,
      per_second: 5_000_000,
      seconds_left: 15,
    }),
  ).toBe('25.0 MB of 100 MB, about 250,000 rows, 5.0 MB a second, 15.0 s left');
  expect(paceOf({ step: 'products', done: 500, total: 2_000 })).toBe('500 of 2,000 products');
  expect(paceOf({ step: 'writing', done: 3, total: null })).toBe('3 parts');
  expect(stepName('writing')).toBe('Writing orders and events');
  expect(stepName('another')).toBe('another');
});

test('the pace of an upload tells the time left', () => {
  const sent = { bytes: 4_000_000, total: 10_000_000 };
  expect(paceOf(uploadProgress(sent, 1_000, 3_000))).toBe(
    '4.0 MB of 10.0 MB, 2.0 MB a second, 3.0 s left',
  );
  expect(paceOf(uploadProgress({ bytes: 0, total: 10 }, 0, 0))).toBe('0 B of 10 B');
});
