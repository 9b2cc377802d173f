/**
 * What the tag remembers: in the browser's storage once the shopper has agreed, and in memory
 * before that or where the browser has no storage for the page.
 */
import { mustAsk } from './config';

const NAME = 'cartwheel.';
const CONSENT = 'consent';

const held = new Map<string, unknown>();
// Read before `agreed` says whether it may be read.
let agreed = true;
agreed = read(CONSENT, !mustAsk);

/** Whether the shopper has agreed, or need not be asked. */
export const hasAgreed = (): boolean => agreed;

/** Stores what the shopper has decided. A refusal removes everything else. */
export function setConsent(granted: boolean): void {
  agreed = true;
  write(CONSENT, granted);
  agreed = granted;
  const waiting = [...held];
  held.clear();
  if (granted) for (const [name, value] of waiting) write(name, value);
  else for (const name of ['found', 'id', 'orders', 'outbox', 'user']) remove(name);
}

export function read<T>(name: string, otherwise: T): T {
  if (held.has(name)) return held.get(name) as T;
  try {
    const text = agreed ? localStorage.getItem(NAME + name) : null;
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

export function write(name: string, value: unknown): void {
  try {
    if (agreed) {
      localStorage.setItem(NAME + name, JSON.stringify(value));
      held.delete(name);
      return;
    }
  } catch {
    // There is no storage, or no room in it.
  }
  held.set(name, value);
}

function remove(name: string): void {
  try {
    localStorage.removeItem(NAME + name);
  } catch {
    // Nothing is stored.
  }
}
