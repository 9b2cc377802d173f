/** Finds the shopper's actions in the page: attributes, JSON-LD and the data layer. */
import { listens, warn } from './config';
import { cart, checkout, view, type Product } from './track';

const seen = new WeakSet<Element>();

/** The elements that match and were not seen before. */
function fresh(selector: string): HTMLElement[] {
  const all = [...document.querySelectorAll<HTMLElement>(selector)].filter(
    (each) => !seen.has(each),
  );
  for (const each of all) seen.add(each);
  return all;
}

function number(text: unknown): number | undefined {
  const value = Number(text ?? NaN);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}

function product(id: unknown, quantity: unknown, price: unknown): Product {
  const pieces = number(quantity);
  const each = number(price);
  return {
    product_id: String(id),
    ...(pieces ? { quantity: Math.round(pieces) || 1 } : {}),
    ...(each === undefined ? {} : { price: each }),
  };
}

function parsed(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text || 'null');
  } catch {
    warn('not JSON:', text);
    return null;
  }
}

function scan(): void {
  for (const { dataset } of fresh('[data-cartwheel-view]')) {
    if (dataset.cartwheelView) view(dataset.cartwheelView);
  }
  for (const { dataset } of fresh('[data-cartwheel-checkout]')) {
    const items = parsed(dataset.cartwheelItems);
    checkout({
      order: dataset.cartwheelCheckout ?? '',
      items: Array.isArray(items) ? items : [],
    });
  }
  if (!listens('jsonld')) return;
  const described = fresh('script[type="application/ld+json"]')
    .flatMap(({ textContent }) => nodes(parsed(textContent)))
    .filter((node) => [node['@type']].flat().includes('Product'));
  // A page that describes several products is a list.
  const id = described[0]?.sku ?? described[0]?.productID;
  if (described.length === 1 && id) view(String(id));
}

/** The objects at the top of JSON-LD: one, a list, or a graph. */
function nodes(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(nodes);
  if (typeof value !== 'object' || value === null) return [];
  const node = value as Record<string, unknown>;
  return [node, ...nodes(node['@graph'])];
}

function clicked({ target }: MouseEvent): void {
  const element = target instanceof Element ? target : null;
  const button = element?.closest<HTMLElement>('[data-cartwheel-add],[data-cartwheel-remove]');
  if (!button) return;
  const { cartwheelAdd, cartwheelRemove, cartwheelQuantity, cartwheelPrice } = button.dataset;
  const id = cartwheelAdd ?? cartwheelRemove;
  if (!id) return;
  const event = cartwheelAdd === undefined ? 'remove_from_cart' : 'add_to_cart';
  cart(event, [product(id, cartwheelQuantity, cartwheelPrice)], 'attribute');
}

interface Ecommerce {
  transaction_id?: unknown;
  items?: {
    item_id?: unknown;
    id?: unknown;
    quantity?: unknown;
    price?: unknown;
  }[];
}

/** Takes an entry of the data layer: an object of GTM, or the arguments of a call of gtag. */
function take(entry: unknown): void {
  if (typeof entry !== 'object' || entry === null) return;
  const { event, ecommerce, 0: call, 1: name, 2: params } = entry as Record<string, unknown>;
  const kind = call === 'event' ? name : event;
  const { items, transaction_id } = ((call === 'event' ? params : ecommerce) ?? {}) as Ecommerce;
  const products = (Array.isArray(items) ? items : [])
    .filter((item) => item)
    .map((item) => product(item.item_id ?? item.id ?? '', item.quantity, item.price))
    .filter((item) => item.product_id);
  const first = products[0];
  if (!first) return;
  if (kind === 'view_item') view(first.product_id);
  else if (kind === 'add_to_cart' || kind === 'remove_from_cart') cart(kind, products, 'datalayer');
  else if (kind === 'purchase') checkout({ order: String(transaction_id ?? ''), items: products });
}

/** Begins to listen. The document has been parsed. */
export function listen(): void {
  document.addEventListener('click', clicked);
  scan();
  new MutationObserver(scan).observe(document.documentElement, {
    childList: true,
    subtree: true,
  });
  if (!listens('datalayer')) return;
  const page = window as { dataLayer?: unknown[] };
  const layer = (page.dataLayer ??= []);
  const push = layer.push.bind(layer);
  layer.push = (...entries) => {
    entries.forEach(take);
    return push(...entries);
  };
  [...layer].forEach(take);
}
