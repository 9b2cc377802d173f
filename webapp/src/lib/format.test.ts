import { expect, it } from 'vitest';
import { abbreviate, count, fixedPercent, percent } from './format';

it.each([
  [0, '0.0%'],
  [0.0004, '< 0.1%'],
  [0.034, '3.4%'],
  [0.0996, '10%'],
  [0.625, '63%'],
  [1, '100%'],
  [1.7, '100%'],
  [-1, '0.0%'],
])('formats the probability %d as %s', (probability, text) => {
  expect(percent(probability)).toBe(text);
});

it('writes a count with its noun', () => {
  expect(count(1, 'order')).toBe('1 order');
  expect(count(1200, 'order')).toBe('1,200 orders');
});

it('writes a share with fixed decimals', () => {
  expect([fixedPercent(0.12345), fixedPercent(0.5, 1)]).toEqual(['12.35%', '50.0%']);
});

it('abbreviates a list of names', () => {
  expect(abbreviate(['a', 'b'])).toBe('a, b');
  expect(abbreviate(['1', '2', '3', '4', '5'])).toBe('1, 2, 3 and 2 more');
});
