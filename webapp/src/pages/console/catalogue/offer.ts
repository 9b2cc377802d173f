/** What the shop offers of a product, as the fields of a form. Pure. */
import { isAmount } from '../../../lib/money';
import type { CatalogueEntry, CatalogueProduct } from '../../../lib/types';

/** Maximum number of pieces that the API accepts. */
const MAX_STOCK = 4_294_967_295;

/** The fields as text; an empty text is a field that the product lacks. */
export interface Offer {
  price: string;
  list_price: string;
  currency: string;
  stock: string;
  /** `yes` and `no` are the shop's own word; with an empty text, the stock decides. */
  in_stock: '' | 'yes' | 'no';
  hidden: boolean;
}

/** The offer of a product that the shop or an import has described. */
export function offerOf({ product, ...shown }: CatalogueEntry): Offer {
  const { price, list_price, currency } = product ?? shown;
  return {
    price: price ?? '',
    list_price: list_price ?? '',
    currency: currency ?? '',
    stock: product?.stock?.toString() ?? '',
    in_stock: product?.in_stock == null ? '' : product.in_stock ? 'yes' : 'no',
    hidden: product?.hidden ?? false,
  };
}

/** Why fields of the offer are not valid, by the server's rules. */
export function offerProblems(offer: Offer): Partial<Record<keyof Offer, string>> {
  const problems: Partial<Record<keyof Offer, string>> = {};
  for (const name of ['price', 'list_price'] as const) {
    const amount = offer[name].trim();
    if (amount !== '' && !isAmount(amount)) {
      problems[name] = 'Write an amount with a point and at most 4 decimals, such as 12.90.';
    }
  }
  const currency = offer.currency.trim();
  if (currency !== '' && !/^[A-Za-z]{3}$/.test(currency)) {
    problems.currency = 'Write a code of ISO 4217, such as EUR.';
  }
  const stock = offer.stock.trim();
  if (stock !== '' && !(/^\d{1,10}$/.test(stock) && Number(stock) <= MAX_STOCK)) {
    problems.stock = 'Write a whole number of pieces, 0 or more.';
  }
  return problems;
}

/** The merge patch (RFC 7396) that turns one offer into another; empty if they are equal. */
export function patchOf(before: Offer, after: Offer): Partial<CatalogueProduct> {
  const old = fieldsOf(before);
  const changed = Object.entries(fieldsOf(after)).filter(
    ([name, value]) => value !== old[name as keyof Offer],
  );
  return Object.fromEntries(changed);
}

function fieldsOf(offer: Offer): Pick<CatalogueProduct, keyof Offer> {
  const text = (value: string): string | null => value.trim() || null;
  const stock = text(offer.stock);
  return {
    price: text(offer.price),
    list_price: text(offer.list_price),
    currency: text(offer.currency)?.toUpperCase() ?? null,
    stock: stock === null ? null : Number(stock),
    in_stock: offer.in_stock === '' ? null : offer.in_stock === 'yes',
    hidden: offer.hidden,
  };
}

/** Whether shoppers see a product, and why not. */
export function visibilityOf(entry: CatalogueEntry): string {
  if (entry.shown) return 'Shown';
  if (entry.product?.hidden) return 'Hidden';
  if (!entry.in_stock) return 'Out of stock';
  const { available_from, available_until } = entry.product ?? {};
  return available_from || available_until ? 'Outside its dates' : 'Not described';
}
