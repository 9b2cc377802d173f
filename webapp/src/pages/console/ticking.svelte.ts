/** The time, moving on once a second while `on` holds. Call it in a component's setup. */
export function ticking(on: () => boolean): { readonly now: number } {
  let now = $state(Date.now());
  $effect(() => {
    if (!on()) return;
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
