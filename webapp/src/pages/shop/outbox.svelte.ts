/**
 * Events on their way. They are sent one at a time in their order; what does not get
 * through is kept, also over a reload, and sent again under the same event id, which the
 * server counts once.
 */
import { asApiError, type ApiError } from '../../lib/api';
import type { EventBody, SubmitAnswer } from '../../lib/types';
import { isEventKind } from '../../lib/validate';

/** Most events that are kept. */
export const MAX_KEPT = 200;
const KEY = 'cartwheel.outbox.v1';
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export interface Outlet {
  send(body: EventBody): Promise<SubmitAnswer>;
  /** The server took the event. */
  answered(body: EventBody, answer: SubmitAnswer): void;
  /** The server will never take the event: it is dropped. */
  refused(body: EventBody, error: ApiError): void;
  /** The event is kept for another try. */
  kept(body: EventBody, error: ApiError): void;
}

export class Outbox {
  readonly #outlet: Outlet;
  readonly #store: Storage | null;
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** Oldest first; the first one may be on its way. */
  queue = $state.raw<readonly EventBody[]>([]);
  sending = $state(false);
  /** Why the last try failed; null after a success. */
  failure = $state.raw<ApiError | null>(null);

  constructor(outlet: Outlet, store: Storage | null) {
    this.#outlet = outlet;
    this.#store = store;
    this.queue = load(store);
  }

  /** Takes an event; false where no more fit. */
  put(body: EventBody): boolean {
    if (this.queue.length >= MAX_KEPT) return false;
    this.queue = [...this.queue, body];
    this.#rewrite((kept) => [...kept, body].slice(0, MAX_KEPT));
    if (this.failure === null) void this.flush();
    return true;
  }

  /** Sends what waits, now. */
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

  /** Sends nothing more and calls nobody; what waits stays for the next outbox. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Sends one; says whether the next one may follow. */
  async #send(body: EventBody): Promise<boolean> {
    let answer: SubmitAnswer;
    try {
      answer = await this.#outlet.send(body);
    } catch (thrown) {
      const error = asApiError(thrown);
      if (isFinal(error)) {
        this.#done(body);
        if (!this.#stopped) this.#outlet.refused(body, error);
        return !this.#stopped;
      }
      if (this.#stopped) return false;
      this.failure = error;
      this.#outlet.kept(body, error);
      // A missing key is not found by waiting.
      if (!needsKey(error)) this.#later(error);
      return false;
    }
    this.#done(body);
    if (!this.#stopped) this.#outlet.answered(body, answer);
    return !this.#stopped;
  }

  /** Forgets an event that the server took or will never take. */
  #done(body: EventBody): void {
    this.#tries = 0;
    this.failure = null;
    this.queue = this.queue.slice(1);
    this.#rewrite((kept) => kept.filter(({ event_id }) => event_id !== body.event_id));
  }

  #later(error: ApiError): void {
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#tries, LONGEST_PAUSE_MS);
    this.#tries += 1;
    const wait = Math.max(pause, (error.retryAfterSeconds ?? 0) * 1000);
    this.#timer = setTimeout(() => void this.flush(), wait);
  }

  /** Changes what is stored, where other tabs keep their events too. */
  #rewrite(change: (kept: readonly EventBody[]) => readonly EventBody[]): void {
    try {
      this.#store?.setItem(KEY, JSON.stringify(change(load(this.#store))));
    } catch {
      // Storage is full or forbidden: the events then last as long as the page.
    }
  }
}

function needsKey(error: ApiError): boolean {
  return error.status === 401 || error.status === 403;
}

/** Whether the same event would be refused again. */
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
    return Array.isArray(value) ? value.filter(isEvent).slice(0, MAX_KEPT) : [];
  } catch {
    return [];
  }
}
