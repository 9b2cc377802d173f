/** Amounts of money as decimal text, as the API sends them. Pure; no floating point. */

/** An amount has at most this many decimals. */
const DECIMALS = 4;
const AMOUNT = /^(\d{1,12})(?:\.(\d{1,4}))?$/;

/** The price of a product, as far as the shop has given it. */
export interface Priced {
  price?: string | null;
  currency?: string | null;
}

/** What products cost together. */
export interface Total {
  /** The amount of each currency; `currency` is empty if the shop has given none. */
  amounts: { amount: string; currency: string }[];
  /** Pieces that the shop has given no price for. */
  unpriced: number;
}

/** Whether `text` is an amount that the API accepts, such as `12.90`. */
export function isAmount(text: string): boolean {
  return AMOUNT.test(text);
}

/** `€12.90`: an amount with its currency; the amount alone without one. */
export function money(amount: string, currency?: string | null): string {
  if (!isAmount(amount)) return amount;
  const exact = amount as `${number}`;
  if (!currency) return exact;
  const usual = new Intl.NumberFormat('en', { style: 'currency', currency });
  const decimals = amount.replace(/^\d+\.?/, '').replace(/0+$/, '').length;
  if (decimals <= (usual.resolvedOptions().maximumFractionDigits ?? 0)) return usual.format(exact);
  return new Intl.NumberFormat('en', {
    style: 'currency',
    currency,
    minimumFractionDigits: decimals,
  }).format(exact);
}

/** The price of `quantity` pieces; null without a price. */
export function linePrice({ price }: Priced, quantity: number): string | null {
  const units = unitsOf(price ?? '');
  return units === null ? null : amountOf(units * BigInt(quantity));
}

/** The sum of the lines, by currency in the order of their first lines. */
export function totalOf(lines: readonly (Priced & { quantity: number })[]): Total {
  const sums = new Map<string, bigint>();
  let unpriced = 0;
  for (const { price, currency, quantity } of lines) {
    const units = unitsOf(price ?? '');
    if (units === null) {
      unpriced += quantity;
    } else {
      const sum = sums.get(currency ?? '') ?? 0n;
      sums.set(currency ?? '', sum + units * BigInt(quantity));
    }
  }
  const amounts = Array.from(sums, ([currency, sum]) => ({ amount: amountOf(sum), currency }));
  return { amounts, unpriced };
}

/** Ten-thousandths of the currency's unit; null if `amount` is not an amount. */
function unitsOf(amount: string): bigint | null {
  const match = AMOUNT.exec(amount);
  return match ? BigInt((match[1] ?? '') + (match[2] ?? '').padEnd(DECIMALS, '0')) : null;
}

/** Ten-thousandths as decimal text, with at least two decimals. */
function amountOf(units: bigint): string {
  const digits = units.toString().padStart(DECIMALS + 1, '0');
  const decimals = digits.slice(-DECIMALS).replace(/0{1,2}$/, '');
  return `${digits.slice(0, -DECIMALS)}.${decimals}`;
}
