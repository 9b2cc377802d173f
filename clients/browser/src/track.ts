/** The shopper's actions, from whichever source. */
import { anonymousId, setUser, type Token } from './shopper';
import { flush, put, type Event } from './outbox';
import { read, write } from './storage';

/** A product of an action. */
export interface Product {
  product_id: string;
  quantity?: number;
  price?: number;
}

/** Where an action was noticed. */
export type Source = 'attribute' | 'call' | 'datalayer' | 'jsonld';

/** Most answers and orders that are remembered. */
const MAX_KEPT = 50;
/** For how long two sources that report the same action mean one, in milliseconds. */
const SAME_MS = 1_000;

type Found = [product: string, recommendation: string][];

/** Remembers that the shopper turned to a product of an answer, for the events that follow. */
export function found(product: string, recommendation: string): void {
  const rest = read<Found>('found', []).filter(([id]) => id !== product);
  write('found', [...rest, [product, recommendation]].slice(-MAX_KEPT));
}

const answerOf = (product: string): string | undefined =>
  read<Found>('found', []).find(([id]) => id === product)?.[1];

const viewed = new Set<string>();

/** Reports a view, once for each address and product. */
export function view(product: string): void {
  const visit = `${location.pathname}${location.search} ${product}`;
  if (viewed.has(visit)) return;
  viewed.add(visit);
  put(withAnswer({ event: 'view', product_ids: [product] }, product));
}

/** The newest changes of the cart, by what they change. */
const changes = new Map<string, { source: Source; at: number }>();

/** Reports a change of the cart. */
export function cart(
  event: 'add_to_cart' | 'remove_from_cart',
  items: Product[],
  source: Source,
): void {
  const first = items[0];
  if (!first) return;
  const what = event + items.map((item) => item.product_id).join();
  const before = changes.get(what);
  const at = Date.now();
  const isTwice = before && before.source !== source && at - before.at < SAME_MS;
  if (changes.size >= MAX_KEPT) changes.clear();
  changes.set(what, { source, at });
  if (!isTwice) put(withAnswer({ event, items }, first.product_id));
}

function withAnswer(event: Event, product: string): Event {
  const recommendation_id = answerOf(product);
  return recommendation_id === undefined ? event : { ...event, recommendation_id };
}

/** Reports an order, once; without items the whole cart. */
export function checkout({ order, items }: { order?: string; items?: Product[] } = {}): void {
  const event: Event = {
    event: 'checkout',
    ...(items?.length ? { items } : {}),
  };
  if (!order) return put(event);
  const orders = read<string[]>('orders', []);
  if (orders.includes(order)) return;
  write('orders', [...orders, order].slice(-MAX_KEPT));
  put({ ...event, event_id: `order-${order}`.slice(0, 120) });
}

/** Ties the guest to a user, who has logged in at the shop. */
export function identify(user: string, token?: Token): void {
  if (setUser(user, token)) put({ event: 'identify', user_id: user, anonymous_id: anonymousId() });
  // What waits for a token is sent now.
  else void flush();
}
