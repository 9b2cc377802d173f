import { describe, expect, it } from 'vitest';
import { applyEvent, eventItems, MAX_CART } from './cart';
import type { EventBody, EventKind } from './types';

function body(event: EventKind, ...product_ids: string[]): EventBody {
  return { event_id: 'e', user_id: 'u', event, product_ids };
}

const cart = [
  { product_id: 'a', quantity: 1 },
  { product_id: 'b', quantity: 2 },
];

describe('the local cart', () => {
  it('adds products in order and counts pieces', () => {
    expect(applyEvent(cart, body('add_to_cart', 'c', 'a', 'c'))).toEqual([
      { product_id: 'a', quantity: 2 },
      { product_id: 'b', quantity: 2 },
      { product_id: 'c', quantity: 2 },
    ]);
  });

  it('reads items with quantities', () => {
    const event: EventBody = {
      event_id: 'e',
      user_id: 'u',
      event: 'add_to_cart',
      items: [{ product_id: 'a', quantity: 3 }, { product_id: 'd' }],
    };
    expect(eventItems(event)).toEqual([
      { product_id: 'a', quantity: 3 },
      { product_id: 'd', quantity: 1 },
    ]);
  });

  it('removes a product with all its pieces', () => {
    expect(applyEvent(cart, body('remove_from_cart', 'b', 'x'))).toEqual([cart[0]]);
  });

  it('is replaced by update_cart', () => {
    expect(applyEvent(cart, body('update_cart', 'z'))).toEqual([{ product_id: 'z', quantity: 1 }]);
    expect(applyEvent(cart, body('update_cart'))).toEqual([]);
  });

  it('is emptied by checkout, or loses only the products that checkout names', () => {
    expect(applyEvent(cart, body('checkout'))).toEqual([]);
    expect(applyEvent(cart, body('checkout', 'a'))).toEqual([cart[1]]);
  });

  it.each(['view', 'get_recommendations'] as const)('is not changed by %s', (event) => {
    expect(applyEvent(cart, body(event, 'c'))).toEqual(cart);
  });

  it('is bounded and never modified in place', () => {
    const ids = Array.from({ length: MAX_CART + 5 }, (_, index) => `p${index}`);
    expect(applyEvent(cart, body('add_to_cart', ...ids))).toHaveLength(MAX_CART);
    expect(cart).toHaveLength(2);
    expect(cart[0]?.quantity).toBe(1);
  });
});
