/**
 * The current time in milliseconds, updated once a second while `running()` is true. Call
 * it while a component initialises.
 */
export function useClock(running: () => boolean): { readonly now: number } {
  let now = $state(Date.now());
  $effect(() => {
    if (!running()) return;
    now = Date.now();
    const timer = setInterval(() => (now = Date.now()), 1000);
    return () => clearInterval(timer);
  });
  return {
    get now() {
      return now;
    },
  };
}
