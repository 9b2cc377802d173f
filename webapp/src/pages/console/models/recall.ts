/** Recall@10 of models and of the best baseline. Pure. */
import type { Method, Report } from '../../../lib/types';

/** The report's row of the model, and of the baseline with the highest Recall@10. */
export function modelAndBaseline({ methods }: Report): { model?: Method; baseline?: Method } {
  const model = methods.find(({ name }) => name === 'model');
  const baseline = methods
    .filter(({ name }) => name !== 'model' && name !== 'no model')
    .toSorted((x, y) => y.recall_at_10.mean - x.recall_at_10.mean)[0];
  return { ...(model ? { model } : {}), ...(baseline ? { baseline } : {}) };
}

/** A scale that includes the whiskers of all reports, with a margin. */
export function recallScale(reports: Report[]): { low: number; high: number } {
  const ends = reports.flatMap((report) => {
    const { model, baseline } = modelAndBaseline(report);
    return [model, baseline].flatMap((method) => {
      if (!method) return [];
      const { mean, se } = method.recall_at_10;
      return [mean - se, mean + se];
    });
  });
  if (ends.length === 0) return { low: 0, high: 1 };
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const margin = Math.max(0.01, 0.1 * (high - low));
  return { low: low - margin, high: high + margin };
}
