/** The shopper: an anonymous id, and the user that the shop has recognized. */
import { key } from './config';
import { read, write } from './storage';

/** A token, or what fetches one from the shop's server. */
export type Token = string | (() => Promise<string>);

/** 128 random bits: what the server asks of an id that nobody can guess. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

let user: string | undefined;
let token: string | undefined;
let source: Token | undefined;

export function anonymousId(): string {
  const known = read('id', '');
  if (known) return known;
  const drawn = randomId();
  write('id', drawn);
  return drawn;
}

/** The shopper's ids, as requests and events carry them. */
export function shopper(): { user_id: string } | { anonymous_id: string } {
  return user === undefined ? { anonymous_id: anonymousId() } : { user_id: user };
}

/** Sets the user; returns whether the guest has not been tied to the user yet. */
export function setUser(id: string, given?: Token): boolean {
  user = id;
  source = given;
  token = typeof given === 'string' ? given : undefined;
  if (read('user', '') === id) return false;
  write('user', id);
  return true;
}

/** Starts afresh as another guest. */
export function forget(): void {
  user = token = source = undefined;
  write('user', '');
  write('id', randomId());
}

/**
 * The credential for a shopper: a token for a user, the publishable key for a guest, and an empty
 * text where the page has no key. Undefined if there is none at the moment.
 */
export async function credential(userId?: string): Promise<string | undefined> {
  if (userId === user && token === undefined && typeof source === 'function') {
    token = await source();
  }
  return credentialNow(userId);
}

/** What is known of the credential without waiting, for a page that goes away. */
export function credentialNow(userId?: string): string | undefined {
  if (userId === undefined) return key ?? '';
  if (userId === user && token !== undefined) return token;
  return key === undefined ? '' : undefined;
}

/** Drops a token that the server refuses; returns whether another can be fetched. */
export function renew(): boolean {
  token = undefined;
  return typeof source === 'function';
}
