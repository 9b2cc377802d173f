/** The cart as the page believes it to be: a fold over the events it sent. Pure. */
import type { EventBody, EventItem } from './types';

export interface CartLine {
  product_id: string;
  quantity: number;
}

/** Most products of a cart, as on the server. */
export const MAX_CART = 200;

/** The products of an event, each once, with their pieces added up. */
export function eventItems(body: EventBody): CartLine[] {
  const given: EventItem[] =
    body.items ?? (body.product_ids ?? []).map((id) => ({ product_id: id }));
  return add(
    [],
    given.map((item) => ({ product_id: item.product_id, quantity: item.quantity ?? 1 })),
  );
}

/** The cart after the server took `body`. */
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
    case 'get_recommendations':
      return [...cart];
  }
}

function add(cart: readonly CartLine[], items: readonly CartLine[]): CartLine[] {
  const lines = cart.map((line) => ({ ...line }));
  for (const item of items) {
    const known = lines.find((line) => line.product_id === item.product_id);
    if (known) known.quantity += item.quantity;
    else if (lines.length < MAX_CART) lines.push({ ...item });
  }
  return lines;
}

function without(cart: readonly CartLine[], items: readonly CartLine[]): CartLine[] {
  return cart.filter((line) => !items.some((item) => item.product_id === line.product_id));
}
