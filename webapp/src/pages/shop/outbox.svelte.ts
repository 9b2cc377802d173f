/**
 * Events on their way. They are sent one at a time in their order; what does not get
 * through is kept, also over a reload, and sent again under the same event id, which the
 * server counts once.
 */
import { asApiError, type ApiError } from '../../lib/api';
import type { EventBody, SubmitAnswer } from '../../lib/types';

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
    this.#keep([...this.queue, body]);
    if (this.failure === null) void this.flush();
    return true;
  }

  /** Sends what waits, now. */
  async flush(): Promise<void> {
    if (this.sending) return;
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

  /** Sends one; says whether the next one may follow. */
  async #send(body: EventBody): Promise<boolean> {
    try {
      const answer = await this.#outlet.send(body);
      this.#tries = 0;
      this.failure = null;
      this.#outlet.answered(body, answer);
      this.#keep(this.queue.slice(1));
      return true;
    } catch (thrown) {
      const error = asApiError(thrown);
      if (isFinal(error)) {
        this.failure = null;
        this.#keep(this.queue.slice(1));
        this.#outlet.refused(body, error);
        return true;
      }
      this.failure = error;
      this.#outlet.kept(body, error);
      // A missing key is not found by waiting.
      if (!needsKey(error)) this.#later(error);
      return false;
    }
  }

  #later(error: ApiError): void {
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#tries, LONGEST_PAUSE_MS);
    this.#tries += 1;
    const wait = Math.max(pause, (error.retryAfterSeconds ?? 0) * 1000);
    this.#timer = setTimeout(() => void this.flush(), wait);
  }

  #keep(queue: readonly EventBody[]): void {
    this.queue = queue;
    try {
      this.#store?.setItem(KEY, JSON.stringify(queue));
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
  return ['event_id', 'user_id', 'event'].every(
    (name) => typeof Reflect.get(value, name) === 'string',
  );
}

function load(store: Storage | null): EventBody[] {
  try {
    const value: unknown = JSON.parse(store?.getItem(KEY) ?? '[]');
    return Array.isArray(value) ? value.filter(isEvent).slice(0, MAX_KEPT) : [];
  } catch {
    return [];
  }
}
