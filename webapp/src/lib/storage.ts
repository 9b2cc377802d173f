/**
 * Keeps each user's cart in the browser's storage across reloads. Bounded; unreadable
 * entries are ignored.
 */
import { MAX_CART, type CartLine } from './cart';
import type { ShownProduct } from './types';

/** The key of the carts in the storage. */
export const CARTS_KEY = 'cartwheel.carts';
/** Maximum number of users whose carts are kept, newest first. */
export const MAX_USERS = 20;

export interface StoredCart {
  user_id: string;
  lines: CartLine[];
  /** The cart's products, as the page last received them. */
  products: ShownProduct[];
}

type Store = Pick<Storage, 'getItem' | 'setItem'>;

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isLine(value: unknown): value is CartLine {
  if (typeof value !== 'object' || value === null) return false;
  if (!('product_id' in value) || !('quantity' in value)) return false;
  const { product_id, quantity } = value;
  return isString(product_id) && typeof quantity === 'number' && quantity >= 1;
}

function isProduct(value: unknown): value is ShownProduct {
  if (typeof value !== 'object' || value === null) return false;
  const { product_id, product_name, aisle, department, ...rest } = value as Record<string, unknown>;
  const { price, list_price, currency, image_url, in_stock, shown } = rest;
  return (
    [product_id, product_name, aisle, department].every(isString) &&
    [price, list_price, currency, image_url].every((text) => isString(text ?? '')) &&
    [in_stock, shown].every((flag) => typeof (flag ?? true) === 'boolean')
  );
}

function isStoredCart(value: unknown): value is StoredCart {
  if (typeof value !== 'object' || value === null) return false;
  const { user_id, lines, products } = value as Record<string, unknown>;
  return (
    isString(user_id) &&
    Array.isArray(lines) &&
    lines.length <= MAX_CART &&
    lines.every(isLine) &&
    Array.isArray(products) &&
    products.every(isProduct)
  );
}

/** Every stored cart, newest first. */
export function loadCarts(store: Store): StoredCart[] {
  try {
    const value: unknown = JSON.parse(store.getItem(CARTS_KEY) ?? '[]');
    return Array.isArray(value) ? value.filter(isStoredCart).slice(0, MAX_USERS) : [];
  } catch {
    return [];
  }
}

/** Stores one user's cart; an empty cart removes the entry. */
export function saveCart(store: Store, cart: StoredCart): void {
  const others = loadCarts(store).filter((other) => other.user_id !== cart.user_id);
  const carts = cart.lines.length > 0 ? [cart, ...others] : others;
  try {
    store.setItem(CARTS_KEY, JSON.stringify(carts.slice(0, MAX_USERS)));
  } catch {
    // Storage is full or disabled: the cart lasts until the page is closed.
  }
}

/** The browser's storage; null if it is disabled. */
export function browserStorage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
