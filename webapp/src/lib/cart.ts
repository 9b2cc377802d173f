/** The page's own copy of a cart: a fold over the events that it sent. Pure. */
import type { EventBody, EventItem } from './types';

export interface CartLine {
  product_id: string;
  quantity: number;
}

/** Maximum number of products in a cart; the server has the same limit. */
export const MAX_CART = 200;

/** The products of an event, each once, with summed quantities. */
export function eventItems(body: EventBody): CartLine[] {
  const items: EventItem[] =
    body.items ?? (body.product_ids ?? []).map((id) => ({ product_id: id }));
  return add(
    [],
    items.map((item) => ({ product_id: item.product_id, quantity: item.quantity ?? 1 })),
  );
}

/** The cart after the server accepted `body`. */
export function applyEvent(cart: readonly CartLine[], body: EventBody): CartLine[] {
  const items = eventItems(body);
  switch (body.event) {
    case 'add_to_cart':
      return add(cart, items);
    case 'update_cart':
      return add([], items);
    case 'remove_from_cart':
      return without(cart, items);
    case 'checkout':
      return items.length === 0 ? [] : without(cart, items);
    case 'view':
    case 'search':
    case 'return':
    case 'identify':
    case 'impression':
    case 'get_recommendations':
      return [...cart];
  }
}

function add(cart: readonly CartLine[], items: readonly CartLine[]): CartLine[] {
  const lines = cart.map((line) => ({ ...line }));
  for (const item of items) {
    const line = lines.find(({ product_id }) => product_id === item.product_id);
    if (line) line.quantity += item.quantity;
    else if (lines.length < MAX_CART) lines.push({ ...item });
  }
  return lines;
}

function without(cart: readonly CartLine[], items: readonly CartLine[]): CartLine[] {
  return cart.filter((line) => !items.some((item) => item.product_id === line.product_id));
}
