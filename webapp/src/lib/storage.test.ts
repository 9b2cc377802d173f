import { describe, expect, it } from 'vitest';
import { loadCarts, MAX_USERS, saveCart } from './storage';

describe('stored carts', () => {
  function memory(start?: string) {
    let stored = start ?? null;
    return {
      getItem: () => stored,
      setItem: (_: string, value: string) => {
        stored = value;
      },
    };
  }
  const cart = (user_id: string) => ({
    user_id,
    lines: [{ product_id: 'a', quantity: 1 }],
    products: [{ product_id: 'a', product_name: 'A', aisle: '', department: '' }],
  });

  it('load newest first, and an empty cart is removed', () => {
    const store = memory();
    saveCart(store, cart('1'));
    saveCart(store, cart('2'));
    expect(loadCarts(store)).toEqual([cart('2'), cart('1')]);
    saveCart(store, { ...cart('2'), lines: [] });
    expect(loadCarts(store)).toEqual([cart('1')]);
  });

  it('are bounded', () => {
    const store = memory();
    for (let user = 0; user < MAX_USERS + 5; user += 1) saveCart(store, cart(String(user)));
    expect(loadCarts(store)).toHaveLength(MAX_USERS);
  });

  it.each(['no json', '{}', '[1, null]', '[{"user_id":1}]', '[{"user_id":"1","lines":[{}]}]'])(
    'ignore %s',
    (text) => expect(loadCarts(memory(text))).toEqual([]),
  );

  it('tolerate storage that throws', () => {
    const full = {
      getItem: () => null,
      setItem: () => {
        throw new Error('full');
      },
    };
    expect(() => saveCart(full, cart('1'))).not.toThrow();
  });
});
