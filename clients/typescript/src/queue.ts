import { CartwheelError } from './error.js';
import type { Schemas } from './operations.js';

/** An event, as the API documents it. */
export type Event = Schemas['Event'];

/** How events are collected before they are sent. */
export interface QueueSettings {
  /** Most events that wait; further ones are dropped. 10,000 by default. */
  maxQueue?: number;
  /** Most events of a request: 100 by default, at most 500. */
  batchSize?: number;
  /** Milliseconds for which events are collected; 1,000 by default. */
  intervalMs?: number;
  /** Hears of each event that is lost: the queue is full, or the server refuses it. */
  onLost?: (event: Event, why: string) => void;
}

const MAX_BATCH = 500;
const MAX_WAIT_MS = 30_000;

/** A timer of Node.js, which can be told not to keep the process running. */
type Timer = ReturnType<typeof setTimeout> & { unref?: () => void };

/** The queues with events, to be sent when a Node.js process ends by itself or a page goes away. */
const unsent = new Set<Queue>();

function flushAll(): void {
  const all = [...unsent];
  // Once: what the server cannot take now must not keep the process running.
  unsent.clear();
  for (const queue of all) queue.flush().catch(() => {});
}

const { process: node, addEventListener: listen } = globalThis as {
  process?: { on?: (event: 'beforeExit', run: () => void) => void };
  addEventListener?: (event: 'pagehide', run: () => void) => void;
};
node?.on?.('beforeExit', flushAll);
listen?.('pagehide', flushAll);

/** Events that wait to be sent. Each has an id before its first attempt and keeps it. */
export class Queue {
  readonly #send: (events: Event[]) => Promise<Schemas['BatchAnswer']>;
  readonly #settings: Required<QueueSettings>;
  #events: Event[] = [];
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  #failures = 0;

  constructor(
    send: (events: Event[]) => Promise<Schemas['BatchAnswer']>,
    { maxQueue = 10_000, batchSize = 100, intervalMs = 1_000, onLost = () => {} }: QueueSettings,
  ) {
    this.#send = send;
    this.#settings = {
      maxQueue,
      batchSize: Math.min(Math.max(batchSize, 1), MAX_BATCH),
      intervalMs,
      onLost,
    };
  }

  /** The number of events that wait. */
  get size(): number {
    return this.#events.length;
  }

  /** Adds an event; returns false if it is lost because the queue is full. */
  put(event: Event): boolean {
    const { maxQueue, batchSize, intervalMs, onLost } = this.#settings;
    if (this.#events.length >= maxQueue) {
      onLost(event, 'the queue is full');
      return false;
    }
    unsent.add(this);
    this.#events.push({ ...event, event_id: event.event_id ?? crypto.randomUUID() });
    if (this.#failures === 0) this.#later(this.#events.length >= batchSize ? 0 : intervalMs);
    return true;
  }

  #later(ms: number): void {
    // A full batch does not wait for the timer of an earlier event.
    if (this.#timer !== undefined && ms > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush().catch(() => {
        this.#later(Math.min(1_000 * 2 ** this.#failures, MAX_WAIT_MS));
      });
    }, ms) as Timer;
    this.#timer.unref?.();
  }

  /**
   * Sends everything that waits.
   *
   * @throws CartwheelError if the server cannot take it now. The events wait on.
   */
  flush(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (this.#events.length > 0) {
      const batch = this.#events.slice(0, this.#settings.batchSize);
      let again: Event[] = [];
      try {
        const { records } = await this.#send(batch);
        again = batch.filter((event, at) => !this.#isSettled(event, records[at]?.error));
      } catch (error) {
        if (!(error instanceof CartwheelError) || error.isPassing || isForbidden(error)) {
          this.#failures += 1;
          throw error;
        }
        for (const event of batch) this.#settings.onLost(event, error.message);
      }
      this.#events.splice(0, batch.length, ...again);
      if (again.length > 0) {
        this.#failures += 1;
        throw new CartwheelError(`${again.length} events could not be stored yet`, 503);
      }
      this.#failures = 0;
    }
    unsent.delete(this);
  }

  #isSettled(event: Event, problem: Schemas['Problem'] | null | undefined): boolean {
    if (!problem) return true;
    if (new CartwheelError(problem.title, problem.status).isPassing) return false;
    this.#settings.onLost(event, problem.detail ?? problem.title);
    return true;
  }
}

/** Whether the key is wrong: that is no reason to lose events. */
const isForbidden = (error: CartwheelError): boolean =>
  error.status === 401 || error.status === 403;
