/** Streams that are opened again when they end. */

const FIRST_MS = 1000;
const LONGEST_MS = 15_000;

/**
 * Calls `open` until it gives false, `failed` does, or the signal aborts. A
 * failure is waited out, each time twice as long.
 */
export async function keepOpen(
  open: () => Promise<boolean>,
  failed: (error: unknown) => boolean,
  signal: AbortSignal,
  wait: (ms: number, signal: AbortSignal) => Promise<void> = pause,
): Promise<void> {
  let tries = 0;
  while (!signal.aborted) {
    try {
      if (!(await open())) return;
      tries = 0;
    } catch (error) {
      if (signal.aborted || !failed(error)) return;
      tries += 1;
    }
    await wait(Math.min(FIRST_MS * 2 ** Math.max(tries - 1, 0), LONGEST_MS), signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), done()), { once: true });
  });
}
