/** The steps of a waterfall chart, from the base value to a probability. Pure. */
import { sigmoid } from '../../../lib/statistics';
import type { Explanation, FeatureContribution } from '../../../lib/types';

/** The contribution of one feature, or of all features without a step of their own. */
export interface Step {
  /** Null for the sum of the other features. */
  feature: FeatureContribution | null;
  /** Number of features in this step. */
  features: number;
  contribution: number;
  /** Log-odds before and after. */
  from: number;
  to: number;
}

export interface Waterfall {
  base: number;
  steps: Step[];
  logOdds: number;
  probability: number;
  /** The lowest and the highest log-odds of all steps. */
  low: number;
  high: number;
}

/** The `most` largest contributions, then the sum of the others. Null without a model. */
export function waterfall({ base, features }: Explanation, most: number): Waterfall | null {
  if (base === null || base === undefined) return null;
  const sorted = features.toSorted(
    (x, y) => Math.abs(y.contribution) - Math.abs(x.contribution) || x.name.localeCompare(y.name),
  );
  const others = sorted.slice(most);
  const parts: Pick<Step, 'feature' | 'features' | 'contribution'>[] = sorted
    .slice(0, most)
    .map((feature) => ({ feature, features: 1, contribution: feature.contribution }));
  if (others.length > 0) {
    const contribution = others.reduce((sum, feature) => sum + feature.contribution, 0);
    parts.push({ feature: null, features: others.length, contribution });
  }
  let logOdds = base;
  const steps = parts.map((part) => {
    const from = logOdds;
    logOdds += part.contribution;
    return { ...part, from, to: logOdds };
  });
  const sums = [base, ...steps.map(({ to }) => to)];
  return {
    base,
    steps,
    logOdds,
    probability: sigmoid(logOdds),
    low: Math.min(...sums),
    high: Math.max(...sums),
  };
}

const MARKS = [0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99];

/** Round probabilities with log-odds between `low` and `high`, for the scale. */
export function marks(low: number, high: number): { probability: number; logOdds: number }[] {
  return MARKS.map((probability) => ({
    probability,
    logOdds: Math.log(probability / (1 - probability)),
  })).filter(({ logOdds }) => logOdds >= low && logOdds <= high);
}

/** A feature's value with at most three significant digits, or `missing`. */
export function featureValue(value: number | null | undefined): string {
  if (value === null || value === undefined) return 'missing';
  if (Number.isInteger(value)) return value.toLocaleString('en');
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}
