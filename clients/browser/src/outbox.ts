/**
 * Events that wait to be sent. An event stays until the server has stored it or will never take it,
 * across reloads too, and keeps its `event_id`, by which the server counts it once. Tabs share the
 * stored events; two of them may send the same one.
 */
import type { components } from '../../../webapp/src/lib/schema';
import { base, warn } from './config';
import { credential, credentialNow, randomId, renew, shopper } from './shopper';
import { hasAgreed, read, write } from './storage';

type Schemas = components['schemas'];
export type Event = Schemas['Event'];

/** Most events that wait; the oldest give way. */
const MAX_EVENTS = 200;
/** Most events of a request. */
const BATCH = 50;
/** Longest body that outlives its page, in characters; browsers allow 64 KiB. */
const MAX_BODY = 50_000;
const MIN_WAIT_MS = 1_000;
const MAX_WAIT_MS = 30_000;
const TIMEOUT_MS = 10_000;

const given = new Set<unknown>();
let sending = false;
let stopped = false;
let failures = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

const all = (): Event[] => read<Event[]>('outbox', []);

/** Adds an event of the current shopper. */
export function put(event: Event): void {
  const whole = {
    event_id: randomId(),
    ...shopper(),
    timestamp: Date.now(),
    source: 'tag',
    ...event,
  };
  write('outbox', [...all(), whole].slice(-MAX_EVENTS));
  if (failures === 0) later(0);
}

function later(ms: number): void {
  clearTimeout(timer);
  timer = setTimeout(() => void flush(), ms);
}

/** Whether a problem of one event goes away by itself. */
const passes = (status: number): boolean => status === 408 || status === 429 || status >= 500;

const userOf = (event: Event): string | undefined =>
  event.user_id === undefined || event.user_id === null ? undefined : `${event.user_id}`;

/** The first events of one shopper, of the first shopper for whom `may` holds. */
function batch(may: (user?: string) => boolean, events: Event[]): Event[] {
  const first = events.find((event) => may(userOf(event)));
  return events.filter((event) => first && userOf(event) === userOf(first)).slice(0, BATCH);
}

/** Sends what waits, and again later what did not get through. */
export async function flush(): Promise<void> {
  if (sending || stopped || !hasAgreed()) return;
  sending = true;
  const without = new Set<string | undefined>();
  try {
    for (;;) {
      const sent = batch((user) => !without.has(user), all());
      if (!sent[0]) break;
      const user = userOf(sent[0]);
      const by = await credential(user).catch(() => undefined);
      if (by === undefined) {
        without.add(user);
        continue;
      }
      const wait = await post(sent, by, user);
      if (wait === undefined) {
        failures = 0;
        continue;
      }
      const backoff = Math.min(MIN_WAIT_MS * 2 ** failures, MAX_WAIT_MS);
      failures += 1;
      if (!stopped) later(Math.max(backoff, wait));
      break;
    }
  } finally {
    sending = false;
  }
}

/** Headers of a request with a credential. */
export function headers(by: string): Record<string, string> {
  const auth = by.startsWith('v1.')
    ? { authorization: `Bearer ${by}` }
    : by
      ? { 'x-api-key': by }
      : {};
  return { 'content-type': 'application/json', ...auth };
}

/** Sends events; returns how many milliseconds to wait if some of them are to be sent again. */
async function post(sent: Event[], by: string, user?: string): Promise<number | undefined> {
  const body = JSON.stringify(sent);
  let response: Response;
  let answer: Schemas['BatchAnswer'] | undefined;
  try {
    response = await fetch(`${base}/v1/events`, {
      method: 'POST',
      headers: headers(by),
      body,
      keepalive: body.length < MAX_BODY,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) answer = (await response.json()) as Schemas['BatchAnswer'];
  } catch {
    return 0;
  }
  const { status } = response;
  if (status === 401 && user !== undefined && renew()) return 0;
  if (status === 401 || status === 403) {
    // Neither helps to ask again: a user's events wait for the next token.
    stopped = user === undefined;
    warn(await response.text());
    return MAX_WAIT_MS;
  }
  if (!answer && passes(status)) return (Number(response.headers.get('retry-after')) || 0) * 1_000;
  const kept = new Set<unknown>();
  sent.forEach((event, at) => {
    const error = answer ? answer.records[at]?.error : { status, detail: 'refused' };
    if (error && passes(error.status)) kept.add(event.event_id);
    else if (error) warn(event, error.detail);
  });
  const done = new Set(sent.map((event) => event.event_id).filter((id) => !kept.has(id)));
  write(
    'outbox',
    all().filter((event) => !done.has(event.event_id)),
  );
  document.dispatchEvent(
    new CustomEvent('cartwheel:sent', {
      detail: sent.filter((e) => done.has(e.event_id)),
    }),
  );
  return kept.size > 0 ? 0 : undefined;
}

/**
 * Gives what waits to the browser while the page goes away, once each. Nobody sees the answer, so
 * that the next page sends the events again.
 */
export function leave(): void {
  if (stopped || !hasAgreed()) return;
  for (;;) {
    const waiting = all().filter((event) => !given.has(event.event_id));
    const sent = batch((user) => credentialNow(user) !== undefined, waiting);
    if (!sent[0]) return;
    const key = credentialNow(userOf(sent[0])) || undefined;
    let body = '';
    do body = JSON.stringify({ key, events: sent });
    while (body.length > MAX_BODY && sent.length > 1 && sent.splice(sent.length >> 1));
    // Without a preflight, which a page that goes away does not wait for.
    const type = base === location.origin ? 'application/json' : 'text/plain';
    if (!navigator.sendBeacon(`${base}/v1/beacon`, new Blob([body], { type }))) return;
    for (const event of sent) given.add(event.event_id);
  }
}
