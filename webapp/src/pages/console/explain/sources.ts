/** Display names of the candidate sources. Pure. */

const NAMES: Record<string, string> = {
  history: 'bought before',
  cart: 'goes with the cart',
  taste: 'matches taste',
  popular: 'popular',
  trending: 'trending now',
};

export function sourceName(source: string): string {
  return NAMES[source] ?? source;
}
