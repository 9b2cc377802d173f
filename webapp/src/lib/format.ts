/** Numbers and names as text. Pure. */
import type { EventKind } from './types';

const NAMES: Record<EventKind, string> = {
  view: 'View',
  search: 'Search',
  add_to_cart: 'Add to cart',
  remove_from_cart: 'Remove from cart',
  update_cart: 'Update cart',
  checkout: 'Checkout',
  return: 'Return',
  identify: 'Identify guest',
  get_recommendations: 'Get recommendations',
  impression: 'Impression',
};

/** The display name of an event kind. */
export function eventName(kind: EventKind): string {
  return NAMES[kind];
}

/** A probability of 0–1 as a percentage: whole from 10%, with one decimal below. */
export function percent(probability: number): string {
  const value = Math.min(Math.max(probability, 0), 1) * 100;
  if (value >= 9.95) return `${Math.round(value)}%`;
  return value > 0 && value < 0.1 ? '< 0.1%' : `${value.toFixed(1)}%`;
}

/** `1 product`, `3 products`. */
export function count(amount: number, one: string, many = `${one}s`): string {
  return `${amount.toLocaleString('en')} ${amount === 1 ? one : many}`;
}

/** `1.23%`: a share of 0–1 as a percentage with a fixed number of decimals. */
export function fixedPercent(share: number, digits = 2): string {
  return `${(100 * share).toFixed(digits)}%`;
}

/** `a, b, c and 2 more`: the first `most` names and the number of the others. */
export function abbreviate(names: readonly string[], most = 3): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
