/** Recall@10 of models beside the best that needs none. Pure. */
import type { Method, Report } from '../../../lib/types';

/** The model's row of a report, and the baseline's with the greatest Recall@10. */
export function judged({ methods }: Report): { model?: Method; best?: Method } {
  const model = methods.find(({ name }) => name === 'model');
  const best = methods
    .filter(({ name }) => name !== 'model' && name !== 'no model')
    .toSorted((x, y) => y.recall_at_10.mean - x.recall_at_10.mean)[0];
  return { ...(model ? { model } : {}), ...(best ? { best } : {}) };
}

/** A scale that holds the whiskers of all reports with some room. */
export function recallScale(reports: Report[]): { low: number; high: number } {
  const ends = reports.flatMap((report) => {
    const { model, best } = judged(report);
    return [model, best].flatMap((method) => {
      if (!method) return [];
      const { mean, se } = method.recall_at_10;
      return [mean - se, mean + se];
    });
  });
  if (ends.length === 0) return { low: 0, high: 1 };
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = Math.max(0.01, 0.1 * (high - low));
  return { low: low - room, high: high + room };
}
