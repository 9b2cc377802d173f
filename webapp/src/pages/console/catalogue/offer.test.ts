import { describe, expect, it } from 'vitest';
import type { CatalogueEntry, CatalogueProduct } from '../../../lib/types';
import { offerOf, offerProblems, patchOf, visibilityOf } from './offer';

function entry(
  product: Partial<CatalogueProduct> | null,
  shown: Partial<CatalogueEntry> = {},
): CatalogueEntry {
  return {
    product_id: 'tea',
    product_name: 'Tea',
    aisle: 'tea',
    department: 'drinks',
    orders: 0,
    in_stock: true,
    shown: true,
    product: product && { product_id: 'tea', ...product },
    ...shown,
  };
}

const offer = offerOf(entry({ price: '2.50', currency: 'EUR', stock: 3 }));

describe('an offer', () => {
  it('has the fields that the shop keeps', () => {
    expect(offer).toEqual({
      price: '2.50',
      list_price: '',
      currency: 'EUR',
      stock: '3',
      in_stock: '',
      hidden: false,
    });
    expect(offerOf(entry({ in_stock: false, hidden: true }))).toMatchObject({
      in_stock: 'no',
      hidden: true,
    });
  });

  it('has the price of an import without a change of the shop', () => {
    expect(offerOf(entry(null, { price: '1.20' }))).toMatchObject({ price: '1.20', stock: '' });
  });

  it('becomes a patch of what has changed', () => {
    expect(patchOf(offer, { ...offer })).toEqual({});
    expect(patchOf(offer, { ...offer, price: ' 2.75 ', currency: 'usd' })).toEqual({
      price: '2.75',
      currency: 'USD',
    });
    expect(patchOf(offer, { ...offer, stock: '0' })).toEqual({ stock: 0 });
    expect(
      patchOf(offer, { ...offer, stock: '', price: '', in_stock: 'no', hidden: true }),
    ).toEqual({ stock: null, price: null, in_stock: false, hidden: true });
    expect(patchOf({ ...offer, in_stock: 'no' }, offer)).toEqual({ in_stock: null });
  });

  it.each([
    ['price', '2,50', /point/],
    ['price', '-1', /amount/],
    ['list_price', '1.23456', /4 decimals/],
    ['currency', 'EURO', /ISO 4217/],
    ['stock', '-1', /whole number/],
    ['stock', '1.5', /whole number/],
    ['stock', '4294967296', /whole number/],
  ] as const)('rejects a %s of %s', (name, text, reason) => {
    expect(offerProblems({ ...offer, [name]: text })).toEqual({
      [name]: expect.stringMatching(reason) as string,
    });
  });

  it('accepts empty fields', () => {
    const empty = { price: '', list_price: '', currency: '', stock: '' };
    expect(offerProblems({ ...offer, ...empty })).toEqual({});
  });
});

describe('the visibility', () => {
  it.each([
    [entry({}), 'Shown'],
    [entry({ hidden: true, stock: 0 }, { shown: false, in_stock: false }), 'Hidden'],
    [entry({ stock: 0 }, { shown: false, in_stock: false }), 'Out of stock'],
    [entry({ available_until: '2020-01-01T00:00:00Z' }, { shown: false }), 'Outside its dates'],
    [entry(null, { shown: false }), 'Not described'],
  ])('of product %# is %s', (product, text) => {
    expect(visibilityOf(product)).toBe(text);
  });
});
