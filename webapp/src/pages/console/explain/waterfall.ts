/** How contributions add up to a probability. Pure. */
import { sigmoid } from '../../../lib/statistics';
import type { Explanation, FeatureContribution } from '../../../lib/types';

/** A feature, or what is left of them, on its way from one sum to the next. */
export interface Step {
  /** Null for all the features that have no step of their own. */
  feature: FeatureContribution | null;
  /** How many features it stands for. */
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
  /** The least and the greatest sum on the way. */
  low: number;
  high: number;
}

/** The `most` largest contributions, then the sum of the others; null without a model. */
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

/** Round probabilities whose log-odds lie between two, for the scale. */
export function marks(low: number, high: number): { probability: number; logOdds: number }[] {
  return MARKS.map((probability) => ({
    probability,
    logOdds: Math.log(probability / (1 - probability)),
  })).filter(({ logOdds }) => logOdds >= low && logOdds <= high);
}

/** A feature's value in at most three significant digits; a word where it is missing. */
export function featureValue(value: number | null | undefined): string {
  if (value === null || value === undefined) return 'missing';
  if (Number.isInteger(value)) return value.toLocaleString('en');
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}
