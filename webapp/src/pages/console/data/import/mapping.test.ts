import { describe, expect, it } from 'vitest';
import type { FileImport, ImportPreview } from '../../../../lib/types';
import {
  assign,
  choices,
  draftOf,
  fieldName,
  fieldOf,
  formatOf,
  mappingOf,
  missing,
} from './mapping';

const PREVIEW: ImportPreview = {
  sources: [{ name: 'a.csv', format: { delimited: { delimiter: ';', quoted: true } } }],
  columns: ['customer', 'sku', 'name', 'at', 'ean'].map((name) => ({ name, examples: [] })),
  fields: [
    { field: 'product_id', columns: ['sku', 'name'], how: 'name' },
    { field: 'time', columns: ['at'], how: 'content' },
    { field: 'product_name', columns: ['name'], how: 'name' },
  ],
  ignored_columns: ['customer', 'ean'],
  order_by: 'day',
  timezone: 'UTC',
  rows: 0,
  lines: 0,
  products: 0,
  first_rows: [],
  first_products: [],
  rejected: 0,
  reasons: [],
  problems: [],
  other_events: {},
  stock_corrections: 0,
  lines_without_customer: 0,
  service_codes: [],
  notes: [],
};
const IMPORT: FileImport = {
  import_id: 'i',
  kind: 'orders',
  name: 'a.csv',
  bytes: 1,
  state: 'ready',
  fields: [],
  mapping: {},
  preview: PREVIEW,
  changed_ms: 0,
};

describe('a mapping', () => {
  it('starts with what was recognised', () => {
    const draft = draftOf(IMPORT);
    expect(fieldOf(draft, 'sku')).toBe('product_id');
    expect(fieldOf(draft, 'name')).toBe('product_name');
    expect(fieldOf(draft, 'ean')).toBe('');
    expect(missing('orders', draft)).toEqual(['user_id']);
    expect(missing('events', draft)).toEqual(['user_id', 'event']);
    expect(missing('events', { ...draft, columns: {} })).toEqual([]);
  });

  it('leaves time zone and orders to the preset or the shop until they are given', () => {
    const draft = draftOf(IMPORT);
    expect(draft.timezone).toBe('');
    const preset = mappingOf({ ...draft, preset: 'woocommerce-orders' });
    expect([preset.timezone, preset.order_by, preset.no_customer]).toEqual([null, null, []]);
    const given = draftOf({ ...IMPORT, mapping: { timezone: 'Europe/Berlin' } });
    expect(mappingOf(given).timezone).toBe('Europe/Berlin');
    const mapping = { order_by: 'time' as const, no_customer: ['0', 'guest'] };
    expect(mappingOf(draftOf({ ...IMPORT, mapping }))).toMatchObject(mapping);
  });

  it('gives a field another column', () => {
    const draft = assign(assign(draftOf(IMPORT), 'ean', 'product_id'), 'customer', 'user_id');
    expect(fieldOf(draft, 'sku')).toBe('');
    expect(missing('orders', draft)).toEqual([]);
    expect(mappingOf(draft).columns).toEqual({
      product_id: ['ean'],
      time: ['at'],
      product_name: ['name'],
      user_id: ['customer'],
    });
  });

  it('leaves a field out, but the customer only on purpose', () => {
    const draft = assign(assign(draftOf(IMPORT), 'name', ''), 'customer', 'user_id');
    const without = assign(draft, 'customer', '');
    expect(mappingOf(without).columns).toEqual({
      product_id: ['sku', 'name'],
      time: ['at'],
      product_name: [],
    });
    const known = { ...without, withoutCustomers: true };
    expect(mappingOf(known).columns?.user_id).toEqual([]);
    expect(missing('orders', known)).toEqual([]);
  });

  it('takes guests for customers', () => {
    const draft = assign(draftOf(IMPORT), 'customer', 'anonymous_id');
    expect(missing('orders', draft)).toEqual([]);
  });

  it('makes attributes of the columns of products', () => {
    const file = { ...IMPORT, kind: 'products' as const, fields: ['product_id', 'name'] };
    const field = 'attributes.tea_colour';
    expect(choices(file, ' Tea colour')).toEqual(['product_id', 'name', field]);
    expect(choices({ ...file, kind: 'orders' }, 'Tea colour')).toEqual(['product_id', 'name']);
    expect(fieldName(field)).toBe('Attribute tea_colour');
  });

  it('names the columns of a file without a header', () => {
    const draft = { ...draftOf(IMPORT), header: 'customer, sku,,at ' };
    expect(mappingOf(draft).header).toEqual(['customer', 'sku', '', 'at']);
    expect(mappingOf({ ...draft, header: ' ' }).header).toEqual([]);
  });

  it('has words for fields and formats', () => {
    expect(fieldName('user_id')).toBe('Customer');
    expect(fieldName('store_code')).toBe('Store code');
    expect(formatOf(PREVIEW)).toBe('text with semicolons and quotes');
    expect(formatOf({ ...PREVIEW, sources: [] })).toBe('');
  });
});
