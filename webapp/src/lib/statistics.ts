/** Estimates with their uncertainty. Pure. */
import type { Mean, Report } from './types';

/** `0.276 ± 0.012`: a mean with its standard error. */
export function plusMinus({ mean, se }: Mean, digits = 3): string {
  return `${mean.toFixed(digits)} ± ${se.toFixed(digits)}`;
}

/** `+0.012`, `−0.003`. */
export function signed(value: number, digits = 3): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return `${value < 0 ? '−' : '+'}${text}`;
}

/** `120 users`, or `900 questions to 120 users` if they were asked several. */
export function asked({ questions = 0, users }: Pick<Report, 'questions' | 'users'>): string {
  const several = questions > users ? `${questions.toLocaleString('en')} questions to ` : '';
  return `${several}${users.toLocaleString('en')} users`;
}

/** A p-value: `0.012`, `< 0.001`. */
export function probability(p: number): string {
  return p < 0.001 ? '< 0.001' : p.toFixed(3);
}

/** The 95% score interval of a proportion (Wilson, JASA 1927). */
export function wilson(hits: number, trials: number): { low: number; high: number } {
  if (trials === 0) return { low: 0, high: 1 };
  const z = 1.96;
  const share = hits / trials;
  const middle = share + (z * z) / (2 * trials);
  const spread = z * Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials));
  const scale = 1 + (z * z) / trials;
  return {
    low: Math.max(0, (middle - spread) / scale),
    high: Math.min(1, (middle + spread) / scale),
  };
}

/** The logistic function. */
export function sigmoid(logOdds: number): number {
  return 1 / (1 + Math.exp(-logOdds));
}
