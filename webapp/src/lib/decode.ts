/**
 * Readers from unknown JSON to the wire's types. What the page shows is checked
 * here once; a field that is not as expected is an error that names it.
 */
import type {
  Problem,
  Product,
  Readiness,
  Recommendation,
  SubmitAnswer,
  UserSummary,
} from './types';

export class DecodeError extends Error {
  constructor(path: string, expected: string) {
    super(`${path === '' ? 'The answer' : path} is not ${expected}`);
    this.name = 'DecodeError';
  }
}

type Fields = Record<string, unknown>;

/** Most entries the page takes of any list. */
const MAX_LIST = 1000;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fields(value: unknown, path: string): Fields {
  if (!isFields(value)) throw new DecodeError(path, 'an object');
  return value;
}

function at(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function text(from: Fields, name: string, path: string): string {
  const value = from[name];
  if (typeof value !== 'string') throw new DecodeError(at(path, name), 'a text');
  return value;
}

/** A text that the server may leave out or send as null. */
function optionalText(from: Fields, name: string, path: string): string {
  return from[name] === undefined || from[name] === null ? '' : text(from, name, path);
}

function number(from: Fields, name: string, path: string): number {
  const value = from[name];
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new DecodeError(at(path, name), 'a number');
  }
  return value;
}

function list<T>(
  from: Fields,
  name: string,
  path: string,
  read: (value: unknown, path: string) => T,
): T[] {
  const value = from[name];
  if (!Array.isArray(value)) throw new DecodeError(at(path, name), 'a list');
  return value
    .slice(0, MAX_LIST)
    .map((entry: unknown, index) => read(entry, `${at(path, name)}[${index}]`));
}

/** The entries without repeats of a product: the page keys its rows by product. */
function once<T extends Product>(entries: T[]): T[] {
  const seen = new Set<string>();
  return entries.filter(({ product_id }) => !seen.has(product_id) && seen.add(product_id));
}

function product(value: unknown, path: string): Product {
  const from = fields(value, path);
  return {
    product_id: text(from, 'product_id', path),
    product_name: text(from, 'product_name', path),
    aisle: optionalText(from, 'aisle', path),
    department: optionalText(from, 'department', path),
  };
}

function recommendation(value: unknown, path: string): Recommendation {
  const from = fields(value, path);
  return {
    ...product(value, path),
    probability: number(from, 'probability', path),
    reasons:
      from['reasons'] === undefined
        ? []
        : list(from, 'reasons', path, (reason, where) => {
            if (typeof reason !== 'string') throw new DecodeError(where, 'a text');
            return reason;
          }),
  };
}

/** Answer of `POST /submit`. Throws {@link DecodeError}. */
export function submitAnswer(value: unknown): SubmitAnswer {
  const from = fields(value, '');
  return {
    message: optionalText(from, 'message', ''),
    event_id: text(from, 'event_id', ''),
    record_id: optionalText(from, 'record_id', ''),
    shard_id: optionalText(from, 'shard_id', ''),
    recommendation_id: optionalText(from, 'recommendation_id', ''),
    model_version: optionalText(from, 'model_version', ''),
    degraded: from['degraded'] === true,
    recommendations: recommendations(value),
  };
}

/** The list of `{"recommendations": […]}`. Throws {@link DecodeError}. */
export function recommendations(value: unknown): Recommendation[] {
  return once(list(fields(value, ''), 'recommendations', '', recommendation));
}

/** The list of `{"products": […]}`. Throws {@link DecodeError}. */
export function products(value: unknown): Product[] {
  return once(list(fields(value, ''), 'products', '', product));
}

/** The list of `{"users": […]}`. Throws {@link DecodeError}. */
export function users(value: unknown): UserSummary[] {
  return list(fields(value, ''), 'users', '', (entry, path) => {
    const from = fields(entry, path);
    return {
      user_id: text(from, 'user_id', path),
      orders: number(from, 'orders', path),
      products: number(from, 'products', path),
    };
  });
}

/** `{"ready", "model_version"}`. Throws {@link DecodeError}. */
export function readiness(value: unknown): Readiness {
  const from = fields(value, '');
  if (typeof from['ready'] !== 'boolean') throw new DecodeError('ready', 'true or false');
  return { ready: from['ready'], model_version: optionalText(from, 'model_version', '') };
}

/** A problem document, or null where the body is none. */
export function problem(value: unknown, status: number): Problem | null {
  if (!isFields(value)) return null;
  const { type, title, detail, field, expected } = value;
  if (typeof title !== 'string' && typeof detail !== 'string') return null;
  return {
    type: typeof type === 'string' ? type : 'about:blank',
    title: typeof title === 'string' ? title : `Status ${status}`,
    status,
    detail: typeof detail === 'string' ? detail : '',
    ...(typeof field === 'string' && field !== '' ? { field } : {}),
    ...(typeof expected === 'string' && expected !== '' ? { expected } : {}),
  };
}
