import { expect, it } from 'vitest';
import { asked, plusMinus, probability, sigmoid, signed, wilson } from './statistics';

it('formats means and differences', () => {
  expect(plusMinus({ mean: 0.27649, se: 0.0123 })).toBe('0.276 ± 0.012');
  expect([signed(0.0126), signed(-0.2), signed(-0.0001)]).toEqual(['+0.013', '−0.200', '0.000']);
  expect([0.04567, 0.0009, 1].map(probability)).toEqual(['0.046', '< 0.001', '1.000']);
});

it('counts questions where users were asked several', () => {
  expect(asked({ users: 1200, questions: 1200 })).toBe('1,200 users');
  expect(asked({ users: 120, questions: 9000 })).toBe('9,000 questions to 120 users');
  expect(asked({ users: 120 })).toBe('120 users');
});

it('computes the score interval of a proportion', () => {
  // Newcombe, Statistics in Medicine 1998, table I: 81 of 263 and 1 of 29.
  const near = (hits: number, trials: number, low: number, high: number): void => {
    const found = wilson(hits, trials);
    expect(found.low).toBeCloseTo(low, 3);
    expect(found.high).toBeCloseTo(high, 3);
  };
  near(81, 263, 0.2553, 0.3662);
  near(1, 29, 0.0061, 0.1718);
  near(0, 20, 0, 0.1611);
  expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
});

it('converts log-odds to a probability', () => {
  expect(sigmoid(0)).toBe(0.5);
  expect(sigmoid(-3.1777186)).toBeCloseTo(0.04, 2);
});
