import type { AnswerOf, BodyOf, Method, Parts, PathOf, Schemas } from './operations.js';
import { Queue, type Event, type QueueSettings } from './queue.js';
import { Transport, type Options, type Settings } from './transport.js';

/** A client of one server. It may be shared; most programs need one. */
export class Cartwheel {
  readonly #transport: Transport;
  readonly #queue: Queue;

  constructor(settings: Settings & QueueSettings) {
    this.#transport = new Transport(settings);
    this.#queue = new Queue((body) => this.request('post', '/v1/events', { body }), settings);
  }

  /** Any route of the API, typed by its document. */
  request<M extends Method, P extends PathOf<M>>(
    method: M,
    path: P,
    parts: Parts<M, P> = {},
    options: Options<AnswerOf<M, P>> = {},
  ): Promise<AnswerOf<M, P>> {
    return this.#transport.request(method, path, parts, options);
  }

  /**
   * Sends an event in the background, together with others. Returns false if it is lost because too
   * many wait. Events are sent when the process ends by itself; before `process.exit()`, `close()`.
   */
  track(event: Event): boolean {
    return this.#queue.put(event);
  }

  /** Stores an event and recommends: the answer already reflects it. */
  submit(event: Event, options?: Options<Schemas['Submitted']>): Promise<Schemas['Submitted']> {
    const body = { ...event, event_id: event.event_id ?? crypto.randomUUID() };
    return this.request('post', '/submit', { body }, options);
  }

  /** Recommends products to a shopper. */
  recommend(
    body: BodyOf<'post', '/v1/recommendations'>,
    options?: Options<AnswerOf<'post', '/v1/recommendations'>>,
  ): Promise<AnswerOf<'post', '/v1/recommendations'>> {
    return this.request('post', '/v1/recommendations', { body }, options);
  }

  /** Fills a placement for a shopper. */
  placement(
    name: string,
    body: BodyOf<'post', '/v1/placements/{name}'>,
    options?: Options<AnswerOf<'post', '/v1/placements/{name}'>>,
  ): Promise<AnswerOf<'post', '/v1/placements/{name}'>> {
    return this.request('post', '/v1/placements/{name}', { path: { name }, body }, options);
  }

  /** Fills the placements of a page, without a product in two of them. */
  page(
    body: BodyOf<'post', '/v1/page'>,
    options?: Options<AnswerOf<'post', '/v1/page'>>,
  ): Promise<AnswerOf<'post', '/v1/page'>> {
    return this.request('post', '/v1/page', { body }, options);
  }

  /** The number of events that wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Sends every event that waits; fails if the server cannot take them now. */
  flush(): Promise<void> {
    return this.#queue.flush();
  }

  /** Sends every event that waits, before the end of the program. */
  close(): Promise<void> {
    return this.#queue.flush();
  }
}
