/**
 * The state of the event form: the user, the events sent and the responses received.
 * Sends one event at a time.
 */
import type { Api } from '../../lib/api';
import { asApiError, type ApiError } from '../../lib/api-error';
import { Carts } from '../../lib/carts.svelte';
import { compareLists, countChanges, type Changes } from '../../lib/changes';
import { count, eventName } from '../../lib/format';
import { newId } from '../../lib/ids';
import { ProductLabels } from '../../lib/labels.svelte';
import type {
  EventBody,
  EventKind,
  ProductLabel,
  Recommendation,
  SubmitAnswer,
  UserSummary,
} from '../../lib/types';
import { userIdProblem } from '../../lib/validate';

/** Maximum number of entries in the response log. */
export const MAX_LOG = 50;
/** Number of example users and popular products to load. */
const EXAMPLE_USERS = 12;
const POPULAR_PRODUCTS = 10;
/** Maximum number of products that a search returns. */
const MAX_MATCHES = 8;

/** The last successful response. */
export interface LastResponse {
  userId: string;
  answer: SubmitAnswer;
  /** Differences from the user's previous response; null for the first one. */
  changes: Changes | null;
}

export interface LogEntry {
  key: number;
  /** When the response arrived, in UTC milliseconds. */
  receivedMs: number;
  body: EventBody;
  ok: boolean;
  /** HTTP status; 0 without a response. */
  status: number;
  /** Milliseconds between request and response. */
  tookMs: number;
  response: unknown;
}

export interface Status {
  tone: 'calm' | 'busy' | 'good' | 'bad';
  text: string;
}

/** An event that was not confirmed, kept unchanged for a retry. */
export interface FailedEvent {
  body: EventBody;
  error: ApiError;
}

export class EventSender {
  readonly #api: Api;
  readonly #onFailure: (error: ApiError) => void;
  readonly #sessionId = newId();
  readonly #carts: Carts;
  #nextKey = 1;

  readonly labels = new ProductLabels();

  /** Text of the user field. */
  userText = $state('');
  /** Counts attempts to send without a valid user id; the user field then shows the error. */
  missingUserCount = $state(0);
  users = $state.raw<UserSummary[]>([]);
  popular = $state.raw<Recommendation[]>([]);
  response = $state.raw<LastResponse | null>(null);
  log = $state.raw<LogEntry[]>([]);
  status = $state.raw<Status>({ tone: 'calm', text: 'Choose a user and send an event.' });
  failed = $state.raw<FailedEvent | null>(null);
  sending = $state(false);

  /** The user id in the field; empty if it is not valid. */
  readonly userId = $derived(userIdProblem(this.userText) === null ? this.userText.trim() : '');
  /** The page's own copy of the user's cart. */
  readonly cart = $derived.by(() => this.#carts.get(this.userId));

  /** `onFailure` is called for every event that could not be sent. */
  constructor(api: Api, store: Storage | null, onFailure: (error: ApiError) => void = () => {}) {
    this.#api = api;
    this.#onFailure = onFailure;
    this.#carts = new Carts(store, this.labels);
  }

  /** Loads example users and popular products. */
  async start(): Promise<void> {
    const [users, popular] = await Promise.allSettled([
      this.#api.users(EXAMPLE_USERS),
      this.#api.popular(POPULAR_PRODUCTS),
    ]);
    if (users.status === 'fulfilled') this.users = users.value;
    if (popular.status === 'fulfilled') {
      this.popular = popular.value;
      this.labels.add(popular.value);
    }
  }

  /** Products whose names match `query`. Throws {@link ApiError}. */
  async searchProducts(query: string, signal: AbortSignal): Promise<ProductLabel[]> {
    const { products } = await this.#api.products({ search: query, limit: MAX_MATCHES }, signal);
    this.labels.add(products);
    return products;
  }

  /**
   * Sends a new event of the current user. `from` is the id of the recommendations that led
   * to it, or empty. Returns whether the server accepted the event.
   */
  async send(event: EventKind, productIds: readonly string[] = [], from = ''): Promise<boolean> {
    if (this.userId === '') {
      this.missingUserCount += 1;
      this.status = { tone: 'bad', text: 'Enter a user id, or choose an example user.' };
      return false;
    }
    return this.#send({
      event_id: newId(),
      user_id: this.userId,
      session_id: this.#sessionId,
      event,
      ...(productIds.length > 0 ? { product_ids: [...productIds] } : {}),
      ...(from === '' ? {} : { recommendation_id: from }),
    });
  }

  /** Sends the failed event again, with the same event id. */
  async retry(): Promise<boolean> {
    return this.failed ? this.#send(this.failed.body) : false;
  }

  /** Drops the failed event. */
  dropFailed(): void {
    this.failed = null;
    this.status = { tone: 'calm', text: 'Ready.' };
  }

  async #send(body: EventBody): Promise<boolean> {
    if (this.sending) return false;
    this.sending = true;
    this.status = { tone: 'busy', text: `Sending “${eventName(body.event)}”…` };
    const started = performance.now();
    const elapsedMs = (): number => Math.round(performance.now() - started);
    try {
      const { answer, status } = await this.#api.submit(body);
      this.#log(body, true, status, elapsedMs(), answer);
      this.#accept(body, answer);
      return true;
    } catch (error) {
      const failure = asApiError(error);
      this.#log(body, false, failure.status, elapsedMs(), failure.problem ?? failure.message);
      this.failed = { body, error: failure };
      this.status = { tone: 'bad', text: `“${eventName(body.event)}” was not confirmed.` };
      this.#onFailure(failure);
      return false;
    } finally {
      this.sending = false;
    }
  }

  #accept(body: EventBody, answer: SubmitAnswer): void {
    const before = this.response;
    const changes =
      before?.userId === body.user_id
        ? compareLists(before.answer.recommendations, answer.recommendations)
        : null;
    this.labels.add(answer.recommendations);
    this.response = { userId: body.user_id, answer, changes };
    this.failed = null;
    this.#carts.apply(body);
    const list = count(answer.recommendations.length, 'recommendation');
    const difference = changes ? `, ${countChanges(changes)}` : '';
    this.status = { tone: 'good', text: `${eventName(body.event)}: ${list}${difference}.` };
  }

  #log(body: EventBody, ok: boolean, status: number, tookMs: number, response: unknown): void {
    const receivedMs = Date.now();
    const entry = { key: this.#nextKey, receivedMs, body, ok, status, tookMs, response };
    this.#nextKey += 1;
    this.log = [entry, ...this.log].slice(0, MAX_LOG);
  }
}
