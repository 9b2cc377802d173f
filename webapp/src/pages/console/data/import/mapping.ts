/** The mapping of an uploaded file, as a person corrects it. Pure. */
import type { FileImport, ImportKind, ImportMapping, ImportPreview } from '../../../../lib/types';

const LABELS: Record<string, string> = {
  user_id: 'Customer',
  anonymous_id: 'Guest',
  product_id: 'Product',
  time: 'Time',
  event: 'Event',
  order_id: 'Order',
  event_id: 'Event id',
  session_id: 'Session',
  quantity: 'Quantity',
  price: 'Price',
  product_name: 'Product name',
  category: 'Category',
  status: 'Order status',
  query: 'Search text',
};
/** Fields of which each has to have a column; the customer may be a guest. */
const REQUIRED: Record<ImportKind, readonly string[]> = {
  orders: ['user_id', 'product_id', 'time'],
  events: ['user_id', 'product_id', 'time', 'event'],
  products: ['product_id'],
};
const ATTRIBUTE = 'attributes.';

/** The display name of a field. */
export function fieldName(field: string): string {
  if (field.startsWith(ATTRIBUTE)) return `Attribute ${field.slice(ATTRIBUTE.length)}`;
  const words = field.replaceAll('_', ' ');
  return LABELS[field] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** A mapping in a form. */
export interface Draft {
  /** The columns of each field; the first one with a value counts. */
  columns: Record<string, string[]>;
  /** Whether the file does not say who the customers are. */
  withoutCustomers: boolean;
  preset: string;
  timezone: string;
  dateOrder: '' | 'dmy' | 'mdy';
  orderBy: '' | 'day' | 'time';
  /** Ids that stand for unknown customers, separated by commas. */
  noCustomer: string;
  /** Names of the columns, separated by commas; empty if the first line has them. */
  header: string;
}

/** The mapping with which the file was read. */
export function draftOf({ mapping, preview }: FileImport): Draft {
  const given = mapping.columns ?? {};
  // Once the file is read, these are all fields that have columns.
  const columns: Record<string, string[]> = {};
  for (const [field, names] of Object.entries(given)) columns[field] = [...names];
  for (const { field, columns: names } of preview?.fields ?? []) columns[field] = [...names];
  return {
    columns,
    withoutCustomers: given.user_id?.length === 0,
    preset: mapping.preset ?? '',
    // What is not given stays so: a preset may have a time zone and a rule of its own.
    timezone: mapping.timezone ?? '',
    dateOrder: mapping.date_order ?? '',
    orderBy: mapping.order_by ?? '',
    noCustomer: (mapping.no_customer ?? []).join(', '),
    header: (mapping.header ?? []).join(', '),
  };
}

/** The fields that a column can mean. */
export function choices({ kind, fields }: FileImport, column: string): string[] {
  const name = column
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_');
  return kind === 'products' && name !== '' ? [...fields, ATTRIBUTE + name] : fields;
}

/** The field that a column means; empty if it is ignored. */
export function fieldOf(draft: Draft, column: string): string {
  const fields = Object.entries(draft.columns);
  const first = fields.find(([, names]) => names[0] === column);
  return (first ?? fields.find(([, names]) => names.includes(column)))?.[0] ?? '';
}

/** Lets a column mean a field, in place of the field's other columns. */
export function assign(draft: Draft, column: string, field: string): Draft {
  const before = fieldOf(draft, column);
  const columns = { ...draft.columns };
  if (before !== '') columns[before] = (columns[before] ?? []).filter((name) => name !== column);
  if (field !== '') columns[field] = [column];
  return { ...draft, columns };
}

/** The fields that have to have a column and have none. Without any column, all are recognised. */
export function missing(kind: ImportKind, draft: Draft): string[] {
  if (Object.keys(draft.columns).length === 0) return [];
  const has = (field: string): boolean => (draft.columns[field]?.length ?? 0) > 0;
  const known = (field: string): boolean =>
    field === 'user_id' && (draft.withoutCustomers || has('anonymous_id'));
  return REQUIRED[kind].filter((field) => !has(field) && !known(field));
}

/** The mapping as the API takes it. */
export function mappingOf(draft: Draft): ImportMapping {
  const columns = { ...draft.columns };
  if (draft.withoutCustomers) columns.user_id = [];
  // Without a column, the customer is to be recognised: it is not left out by accident.
  else if (columns.user_id?.length === 0) delete columns.user_id;
  return {
    columns,
    preset: draft.preset || null,
    timezone: draft.timezone.trim() || null,
    date_order: draft.dateOrder || null,
    order_by: draft.orderBy || null,
    no_customer: split(draft.noCustomer).filter((id) => id !== ''),
    // A column may have no name; it keeps its place.
    header: draft.header.trim() === '' ? [] : split(draft.header),
  };
}

function split(names: string): string[] {
  return names.split(',').map((name) => name.trim());
}

/** Which format the file has, in words; empty if unknown. */
export function formatOf({ sources }: ImportPreview): string {
  const format = sources[0]?.format;
  if (format === undefined) return '';
  if (format === 'json') return 'JSON lines';
  if (format === 'parquet') return 'Parquet';
  const { delimiter, quoted } = format.delimited;
  const names: Record<string, string> = { ',': 'commas', ';': 'semicolons', '\t': 'tabs' };
  return `text with ${names[delimiter] ?? delimiter} and ${quoted ? 'quotes' : 'backslash escapes'}`;
}
