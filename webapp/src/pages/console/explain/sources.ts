/** Display names of the candidate sources. Pure. */

const NAMES: Record<string, string> = {
  history: 'bought before',
  cart: 'often bought with the cart',
  taste: 'similar to past purchases',
  popular: 'popular',
};

export function sourceName(source: string): string {
  return NAMES[source] ?? source;
}
