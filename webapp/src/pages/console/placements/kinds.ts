/** Kinds of lists in plain words. Pure. */
import type { PlacementKind } from '../../../lib/types';

export const KINDS: Record<PlacementKind, string> = {
  for_you: 'For the shopper',
  cart: 'Goes with the cart',
  bought_together: 'Bought together with the product',
  substitutes: 'Like the product',
  also_viewed: 'Looked at with the product',
  trending: 'Trending now',
  popular: 'Best sellers',
  new: 'New products',
  buy_again: 'Due to be bought again',
  recently_viewed: 'Looked at recently',
  rank: 'Given products, in the shopper’s order',
};

/** Whether lists of a kind compare with the product of a page. */
export function needsProduct(kind: PlacementKind): boolean {
  return kind === 'bought_together' || kind === 'substitutes' || kind === 'also_viewed';
}

/** Whether a list of a kind may try products that do not belong to it. */
export function isOpen(kind: PlacementKind): boolean {
  return kind !== 'rank' && kind !== 'buy_again' && kind !== 'recently_viewed';
}

/** The kinds of a field's text, separated by commas or spaces. */
export function namesOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((name) => name !== '');
}
