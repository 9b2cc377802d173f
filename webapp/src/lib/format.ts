/** Numbers and names as a person reads them. Pure. */
import type { EventKind } from './types';

const NAMES: Record<EventKind, string> = {
  view: 'View',
  add_to_cart: 'Add to cart',
  remove_from_cart: 'Remove from cart',
  update_cart: 'Update cart',
  checkout: 'Checkout',
  get_recommendations: 'Get recommendations',
};

/** A kind of event in words. */
export function eventName(kind: EventKind): string {
  return NAMES[kind];
}

/** A probability of 0–1 in percent: whole from 10 % on, below with one decimal. */
export function percent(probability: number): string {
  const value = Math.min(Math.max(probability, 0), 1) * 100;
  if (value >= 9.95) return `${Math.round(value)} %`;
  return value > 0 && value < 0.1 ? '< 0.1 %' : `${value.toFixed(1)} %`;
}

/** `1 product`, `3 products`. */
export function count(amount: number, one: string, many = `${one}s`): string {
  return `${amount.toLocaleString('en')} ${amount === 1 ? one : many}`;
}

/** Time of day of a UTC millisecond in the reader's zone. */
export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString('en-GB');
}
