/** What the sources of candidates are called. Pure. */

const WORDS: Record<string, string> = {
  history: 'bought before',
  cart: 'goes with the cart',
  taste: 'close to what is bought',
  popular: 'popular',
};

export function sourceName(source: string): string {
  return WORDS[source] ?? source;
}
