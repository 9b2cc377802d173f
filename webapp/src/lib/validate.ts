/** What the form takes, checked as the server checks it. Pure. */
import { EVENT_KINDS, type EventKind } from './types';

/** Longest id. */
export const MAX_ID = 64;
/** Most products of one event. */
export const MAX_PRODUCTS = 200;

const ID = /^[A-Za-z0-9._:@-]+$/;
const ALLOWED = 'letters, digits and . _ : @ -';

/** Why `id` is no id, or null where it is one. `what` starts the sentence. */
export function idProblem(id: string, what: string): string | null {
  if (id === '') return `${what} is missing.`;
  if (id.length > MAX_ID) {
    return `${what} has ${id.length} characters; at most ${MAX_ID} are allowed.`;
  }
  if (ID.test(id)) return null;
  const bad = Array.from(id).find((character) => !ID.test(character)) ?? '';
  const shown = /\s/.test(bad) ? 'a space' : `“${bad}”`;
  return `${what} must not hold ${shown}; allowed are ${ALLOWED}.`;
}

/** Why the user id of the form cannot be sent, or null. */
export function userIdProblem(text: string): string | null {
  return idProblem(text.trim(), 'The user id');
}

/** The product ids of a text: parted by commas, semicolons, spaces or lines. */
export function splitProductIds(text: string): string[] {
  return text.split(/[\s,;]+/).filter((id) => id !== '');
}

/** Whether an event of `kind` must name at least one product. */
export function needsProducts(kind: EventKind): boolean {
  return kind === 'view' || kind === 'add_to_cart' || kind === 'remove_from_cart';
}

/** Why these product ids cannot be sent with an event of `kind`, or null. */
export function productIdsProblem(text: string, kind: EventKind): string | null {
  const ids = splitProductIds(text);
  if (ids.length === 0) {
    return needsProducts(kind) ? 'This event needs at least one product id.' : null;
  }
  if (ids.length > MAX_PRODUCTS) {
    return `These are ${ids.length} products; at most ${MAX_PRODUCTS} fit into one event.`;
  }
  for (const id of ids) {
    const problem = idProblem(id, `The product id “${id.slice(0, 20)}”`);
    if (problem !== null) return problem;
  }
  return null;
}

/** Whether `text` names a kind of event. */
export function isEventKind(text: string): text is EventKind {
  return EVENT_KINDS.some((kind) => kind === text);
}
