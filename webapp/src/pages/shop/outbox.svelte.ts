/**
 * Events that wait to be sent. They are sent one at a time, in order. An event that does
 * not get through is kept, even across reloads, and sent again with the same event id, so
 * the server counts it once.
 */
import { asApiError, type ApiError } from '../../lib/api-error';
import type { EventBody, SubmitAnswer } from '../../lib/types';
import { isEventKind } from '../../lib/validate';

/** Maximum number of waiting events. */
export const MAX_EVENTS = 200;
const KEY = 'cartwheel.outbox.v1';
const MIN_WAIT_MS = 1_000;
const MAX_WAIT_MS = 30_000;

/** How an outbox sends events and reports their outcome. */
export interface Transport {
  send(body: EventBody): Promise<SubmitAnswer>;
  /** The server accepted the event. */
  onAccepted(body: EventBody, answer: SubmitAnswer): void;
  /** The server will never accept the event, so it is dropped. */
  onRefused(body: EventBody, error: ApiError): void;
  /** The event is kept and sent again later. */
  onPostponed(body: EventBody, error: ApiError): void;
}

export class Outbox {
  readonly #transport: Transport;
  readonly #store: Storage | null;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** Oldest first; the first event may be in transit. */
  queue = $state.raw<readonly EventBody[]>([]);
  sending = $state(false);
  /** Why the last attempt failed; null after a success. */
  failure = $state.raw<ApiError | null>(null);

  constructor(transport: Transport, store: Storage | null) {
    this.#transport = transport;
    this.#store = store;
    this.queue = load(store);
  }

  /** Adds an event; returns false if the outbox is full. */
  put(body: EventBody): boolean {
    if (this.queue.length >= MAX_EVENTS) return false;
    this.queue = [...this.queue, body];
    this.#updateStore((stored) => [...stored, body].slice(0, MAX_EVENTS));
    if (this.failure === null) void this.flush();
    return true;
  }

  /** Sends the waiting events now. */
  async flush(): Promise<void> {
    if (this.sending || this.#stopped) return;
    clearTimeout(this.#timer);
    this.sending = true;
    try {
      for (let body = this.queue[0]; body !== undefined; body = this.queue[0]) {
        if (!(await this.#send(body))) return;
      }
    } finally {
      this.sending = false;
    }
  }

  /** Stops sending and reporting; waiting events stay stored for the next outbox. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Sends one event; returns whether to go on with the next. */
  async #send(body: EventBody): Promise<boolean> {
    let answer: SubmitAnswer;
    try {
      answer = await this.#transport.send(body);
    } catch (thrown) {
      const error = asApiError(thrown);
      if (isFinal(error)) {
        this.#remove(body);
        if (!this.#stopped) this.#transport.onRefused(body, error);
        return !this.#stopped;
      }
      if (this.#stopped) return false;
      this.failure = error;
      this.#transport.onPostponed(body, error);
      // Waiting does not help without an API key.
      if (!needsKey(error)) this.#retryLater(error);
      return false;
    }
    this.#remove(body);
    if (!this.#stopped) this.#transport.onAccepted(body, answer);
    return !this.#stopped;
  }

  /** Removes the first event, which the server accepted or refused for good. */
  #remove(body: EventBody): void {
    this.#failures = 0;
    this.failure = null;
    this.queue = this.queue.slice(1);
    this.#updateStore((stored) => stored.filter(({ event_id }) => event_id !== body.event_id));
  }

  #retryLater(error: ApiError): void {
    const backoff = Math.min(MIN_WAIT_MS * 2 ** this.#failures, MAX_WAIT_MS);
    this.#failures += 1;
    const wait = Math.max(backoff, (error.retryAfterSeconds ?? 0) * 1000);
    this.#timer = setTimeout(() => void this.flush(), wait);
  }

  /** Updates the stored events, which other tabs share. */
  #updateStore(change: (stored: readonly EventBody[]) => readonly EventBody[]): void {
    try {
      this.#store?.setItem(KEY, JSON.stringify(change(load(this.#store))));
    } catch {
      // Storage is full or disabled: the events last until the page is closed.
    }
  }
}

/** Whether the request lacks an API key with the right scope. */
function needsKey(error: ApiError): boolean {
  return error.status === 401 || error.status === 403;
}

/** Whether the server would refuse the same event again. */
function isFinal(error: ApiError): boolean {
  if (error.kind !== 'refused' || needsKey(error)) return false;
  return error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 408;
}

function isEvent(value: unknown): value is EventBody {
  if (typeof value !== 'object' || value === null) return false;
  const { event_id, user_id, event, items, product_ids } = value as Record<string, unknown>;
  return (
    [event_id, user_id].every((id) => typeof id === 'string') &&
    typeof event === 'string' &&
    isEventKind(event) &&
    (items === undefined || (Array.isArray(items) && items.every(isItem))) &&
    (product_ids === undefined ||
      (Array.isArray(product_ids) && product_ids.every((id) => typeof id === 'string')))
  );
}

function isItem(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { product_id, quantity } = value as Record<string, unknown>;
  return typeof product_id === 'string' && ['undefined', 'number'].includes(typeof quantity);
}

function load(store: Storage | null): EventBody[] {
  try {
    const value: unknown = JSON.parse(store?.getItem(KEY) ?? '[]');
    return Array.isArray(value) ? value.filter(isEvent).slice(0, MAX_EVENTS) : [];
  } catch {
    return [];
  }
}
