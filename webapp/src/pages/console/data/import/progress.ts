/** The progress of an import in words. Pure. */
import { bytes } from '../../../../lib/bytes';
import { count } from '../../../../lib/format';
import { duration } from '../../../../lib/time';
import type { ImportProgress } from '../../../../lib/types';

const STEPS: Record<string, string> = {
  uploading: 'Uploading the file',
  reading: 'Reading the file',
  writing: 'Writing orders and events',
  products: 'Storing the products',
};

/** What is going on. */
export function stepName(step: string): string {
  return STEPS[step] ?? step;
}

/** How much is done, how fast, and how long it takes. */
export function paceOf(progress: ImportProgress): string {
  const { step, done, total, rows, per_second: rate, seconds_left: left } = progress;
  const inBytes = step === 'uploading' || step === 'reading';
  const amount = (value: number): string =>
    inBytes ? bytes(value) : Math.round(value).toLocaleString('en');
  const unit = inBytes ? '' : step === 'products' ? ' products' : ' parts';
  const parts = [total ? `${amount(done)} of ${amount(total)}${unit}` : amount(done) + unit];
  if (rows !== null && rows !== undefined) parts.push(`about ${count(rows, 'row')}`);
  if (rate) parts.push(`${amount(rate)}${unit} a second`);
  if (left) parts.push(`${duration(left * 1000)} left`);
  return parts.join(', ');
}

/** The progress of an upload that began at `startedMs`. */
export function uploadProgress(
  sent: { bytes: number; total: number },
  startedMs: number,
  nowMs: number,
): ImportProgress {
  const seconds = (nowMs - startedMs) / 1000;
  const rate = seconds > 0 && sent.bytes > 0 ? sent.bytes / seconds : null;
  return {
    step: 'uploading',
    done: sent.bytes,
    total: sent.total,
    per_second: rate,
    seconds_left: rate ? Math.ceil((sent.total - sent.bytes) / rate) : null,
  };
}
