import { expect, test } from 'vitest';
import { duration, milliseconds, minuteInUtc } from './time';

test('a duration is written in fitting units', () => {
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

test('a latency has a decimal below 10 ms', () => {
  expect([0.04, 3.14, 9.5, 12.3, 1234.5].map(milliseconds)).toEqual([
    '0.0 ms',
    '3.1 ms',
    '9.5 ms',
    '12 ms',
    '1,235 ms',
  ]);
});

test('a minute is written in UTC', () => {
  expect(minuteInUtc(Date.UTC(2026, 0, 31, 23, 59, 59))).toBe('2026-01-31 23:59');
});
