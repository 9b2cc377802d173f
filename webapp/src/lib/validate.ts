/** Input validation with the server's rules. Pure. */
import { EVENT_KINDS, type EventKind } from './types';

/** Maximum length of an id in bytes of UTF-8. */
export const MAX_ID = 128;
/** Maximum number of products in an event. */
export const MAX_PRODUCTS = 200;

/** Why `id` is not a valid id; null if it is valid. `subject` starts the message. */
export function idProblem(id: string, subject: string): string | null {
  if (id === '') return `${subject} is missing.`;
  const length = new TextEncoder().encode(id).length;
  if (length > MAX_ID) return `${subject} has ${length} bytes; at most ${MAX_ID} are allowed.`;
  return /\p{Cc}/u.test(id) ? `${subject} must not contain control characters.` : null;
}

/** Why the user id in `text` is not valid; null if it is valid. */
export function userIdProblem(text: string): string | null {
  const id = text.trim();
  if (id.startsWith('~')) return 'The user id must not begin with ~, which marks guests.';
  return idProblem(id, 'The user id');
}

/** The product ids in `text`, separated by commas, semicolons, spaces or line breaks. */
export function splitProductIds(text: string): string[] {
  return text.split(/[\s,;]+/).filter((id) => id !== '');
}

/** Whether an event of `kind` must name at least one product. */
export function needsProducts(kind: EventKind): boolean {
  return kind === 'view' || kind === 'add_to_cart' || kind === 'remove_from_cart';
}

/** Why an event of `kind` cannot have the product ids in `text`; null if it can. */
export function productIdsProblem(text: string, kind: EventKind): string | null {
  const ids = splitProductIds(text);
  if (ids.length === 0) {
    return needsProducts(kind) ? 'This event needs at least one product id.' : null;
  }
  if (ids.length > MAX_PRODUCTS) {
    return `An event has at most ${MAX_PRODUCTS} products; these are ${ids.length}.`;
  }
  for (const id of ids) {
    const problem = idProblem(id, `The product id “${id.slice(0, 20)}”`);
    if (problem !== null) return problem;
  }
  return null;
}

/** Whether `text` is an event kind. */
export function isEventKind(text: string): text is EventKind {
  return EVENT_KINDS.some((kind) => kind === text);
}
