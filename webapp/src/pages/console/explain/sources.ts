/** Display names of the candidate sources. Pure. */

const NAMES: Record<string, string> = {
  history: 'bought before',
  cart: 'goes with the cart',
  taste: 'matches taste',
  next: 'bought next by such customers',
  affinity: 'bought by like customers',
  content: 'like what was bought or looked at',
  popular: 'popular',
  buy_again: 'due to be bought again',
  trending: 'trending now',
  new: 'new in the shop',
};

export function sourceName(source: string): string {
  return NAMES[source] ?? source;
}
