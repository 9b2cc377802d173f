import type { Verdict } from '../../../lib/types';

/** The gate's verdict in the output of a run. Null for runs that failed, and for early versions. */
export function verdictOf(output: unknown): Pick<Verdict, 'reason' | 'advice'> | null {
  if (typeof output !== 'object' || output === null || !('verdict' in output)) return null;
  const { verdict } = output;
  if (typeof verdict !== 'object' || verdict === null || !('reason' in verdict)) return null;
  if (typeof verdict.reason !== 'string') return null;
  const advice = 'advice' in verdict && typeof verdict.advice === 'string' ? verdict.advice : null;
  return { reason: verdict.reason, advice };
}
