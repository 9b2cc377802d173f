/** Keeps a stream open: reconnects when it ends or fails. */

const MIN_WAIT_MS = 1000;
const MAX_WAIT_MS = 15_000;

/**
 * Calls `open` again and again until it returns false, `onError` returns false, or the
 * signal aborts. The wait doubles with each failure in a row.
 */
export async function keepOpen(
  open: () => Promise<boolean>,
  onError: (error: unknown) => boolean,
  signal: AbortSignal,
  wait: (ms: number, signal: AbortSignal) => Promise<void> = pause,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      if (!(await open())) return;
      failures = 0;
    } catch (error) {
      if (signal.aborted || !onError(error)) return;
      failures += 1;
    }
    await wait(Math.min(MIN_WAIT_MS * 2 ** Math.max(failures - 1, 0), MAX_WAIT_MS), signal);
  }
}

/** Waits, at most until the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), done()), { once: true });
  });
}
