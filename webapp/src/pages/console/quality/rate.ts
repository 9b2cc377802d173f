/** Rates of a funnel. Pure. */

/** `part / total`; null if `total` is 0. */
export function rate(part: number, total: number): number | null {
  return total === 0 ? null : part / total;
}
