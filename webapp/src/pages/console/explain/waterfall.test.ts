import { expect, it } from 'vitest';
import { featureValue, marks, waterfall } from './waterfall';

const feature = (name: string, contribution: number) => ({
  name,
  label: name,
  unit: 'orders',
  subject: 'habit',
  contribution,
  value: 1,
});

it('adds the largest contributions to the base, then the sum of the others', () => {
  const features = [feature('a', 0.1), feature('b', -2), feature('c', 0.2), feature('d', 1)];
  const found = waterfall({ source: 'history', base: -1, features }, 2);
  expect(found?.steps.map((step) => [step.feature?.name ?? null, step.features])).toEqual([
    ['b', 1],
    ['d', 1],
    [null, 2],
  ]);
  expect(found?.steps.map(({ from }) => from)).toEqual([-1, -3, -2]);
  expect(found?.steps.at(-1)?.contribution).toBeCloseTo(0.3);
  expect(found?.logOdds).toBeCloseTo(-1.7);
  expect(found?.probability).toBeCloseTo(1 / (1 + Math.exp(1.7)));
  expect([found?.low, found?.high]).toEqual([-3, -1]);
});

it('has no step for other features if there are none', () => {
  const found = waterfall({ source: 'cart', base: 0, features: [feature('a', 0.5)] }, 12);
  expect(found?.steps).toHaveLength(1);
  expect(waterfall({ source: 'cart', base: 0, features: [] }, 12)).toMatchObject({
    steps: [],
    probability: 0.5,
    low: 0,
    high: 0,
  });
});

it('is null without a model', () => {
  const features = [feature('a', 0)];
  expect(waterfall({ source: 'popular', base: null, features }, 12)).toBeNull();
});

it('marks round probabilities between two log-odds', () => {
  expect(marks(-3, 0.1).map(({ probability }) => probability)).toEqual([0.05, 0.1, 0.2, 0.3, 0.5]);
  expect(marks(0, 0).map(({ logOdds }) => logOdds)).toEqual([0]);
});

it('formats feature values', () => {
  expect([42, 0.7414634, 12_345, null].map(featureValue)).toEqual([
    '42',
    '0.741',
    '12,345',
    'missing',
  ]);
});
