/**
 * The page's state: who acts, what was sent, what came back. Every event goes
 * through {@link Shopper.send}, one at a time.
 */
import { SvelteMap } from 'svelte/reactivity';
import { asApiError, type Api, type ApiError } from '../../lib/api';
import { applyEvent, type CartLine } from '../../lib/cart';
import { compareLists, countChanges, type Changes } from '../../lib/changes';
import { count, eventName } from '../../lib/format';
import { newId } from '../../lib/ids';
import { loadCarts, saveCart } from '../../lib/storage';
import type {
  EventBody,
  EventKind,
  ProductLabel,
  Recommendation,
  SubmitAnswer,
  UserSummary,
} from '../../lib/types';
import { userIdProblem } from '../../lib/validate';

/** Most entries of the response log, newest first. */
export const MAX_LOG = 50;
/** Most products whose names are kept for chips and fields. */
const MAX_KNOWN = 1000;
/** Example users and popular products asked for at start. */
const EXAMPLES = 12;
const POPULAR = 10;

export interface Answered {
  userId: string;
  answer: SubmitAnswer;
  /** Against the last answer for the same user; null for a first one. */
  changes: Changes | null;
}

export interface LogEntry {
  key: number;
  /** When the answer came, UTC milliseconds. */
  at: number;
  body: EventBody;
  ok: boolean;
  /** HTTP status, 0 where none came. */
  status: number;
  /** Between send and answer, milliseconds. */
  tookMs: number;
  response: unknown;
}

export interface Status {
  tone: 'calm' | 'busy' | 'good' | 'bad';
  text: string;
}

/** An event that did not get through, kept as it was for another try. */
export interface Failed {
  body: EventBody;
  error: ApiError;
}

export class Shopper {
  readonly #api: Api;
  readonly #store: Storage | null;
  readonly #onFailure: (error: ApiError) => void;
  readonly #sessionId = newId();
  readonly #carts = new SvelteMap<string, CartLine[]>();
  readonly #known = new SvelteMap<string, ProductLabel>();
  #nextKey = 1;

  /** The text of the user field. */
  userText = $state('');
  /** Counts the times someone acted without a user, so that the field can say so. */
  userWanted = $state(0);
  users = $state.raw<UserSummary[]>([]);
  popular = $state.raw<Recommendation[]>([]);
  answered = $state.raw<Answered | null>(null);
  log = $state.raw<LogEntry[]>([]);
  status = $state.raw<Status>({ tone: 'calm', text: 'Pick a user and send an event.' });
  failed = $state.raw<Failed | null>(null);
  sending = $state(false);

  /** Who acts; empty while the field holds no valid id. */
  readonly userId = $derived(userIdProblem(this.userText) === null ? this.userText.trim() : '');
  /** The cart that the page believes this user to have. */
  readonly cart = $derived(this.#carts.get(this.userId) ?? []);

  /** `onFailure` is told of every request that failed. */
  constructor(api: Api, store: Storage | null, onFailure: (error: ApiError) => void = () => {}) {
    this.#api = api;
    this.#onFailure = onFailure;
    this.#store = store;
    for (const cart of store ? loadCarts(store) : []) {
      this.#carts.set(cart.user_id, cart.lines);
      this.learn(cart.products);
    }
  }

  /** What a newcomer needs to begin: users to click, products to look at. */
  async start(): Promise<void> {
    const [users, popular] = await Promise.allSettled([
      this.#api.users(EXAMPLES),
      this.#api.popular(POPULAR),
    ]);
    if (users.status === 'fulfilled') this.users = users.value;
    if (popular.status === 'fulfilled') {
      this.popular = popular.value;
      this.learn(popular.value);
    }
  }

  /** Products whose names match. Throws {@link ApiError}. */
  async lookUp(query: string, signal: AbortSignal): Promise<ProductLabel[]> {
    const { products: found } = await this.#api.products({ search: query, limit: 8 }, signal);
    this.learn(found);
    return found;
  }

  /** The name of a product, or its id where the page has not met it. */
  nameOf(productId: string): string {
    return this.#known.get(productId)?.product_name ?? productId;
  }

  /** What the page knows of a product, if anything. */
  product(productId: string): ProductLabel | undefined {
    return this.#known.get(productId);
  }

  /** Remembers products' names, dropping the oldest beyond the limit. */
  learn(products: readonly ProductLabel[]): void {
    for (const { product_id, product_name, aisle, department } of products) {
      this.#known.set(product_id, { product_id, product_name, aisle, department });
    }
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
  }

  /** Sends a new event of the present user. Says whether the server took it. */
  async act(event: EventKind, productIds: readonly string[] = [], from = ''): Promise<boolean> {
    if (this.userId === '') {
      this.userWanted += 1;
      this.status = { tone: 'bad', text: 'Enter a user id first, or pick an example user.' };
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

  /** Sends the failed event once more, under the same event id. */
  async retry(): Promise<boolean> {
    return this.failed ? this.#send(this.failed.body) : false;
  }

  dropFailed(): void {
    this.failed = null;
    this.status = { tone: 'calm', text: 'Ready.' };
  }

  async #send(body: EventBody): Promise<boolean> {
    if (this.sending) return false;
    this.sending = true;
    this.status = { tone: 'busy', text: `Sending “${eventName(body.event)}” …` };
    const started = performance.now();
    const took = (): number => Math.round(performance.now() - started);
    try {
      const { answer, raw, status } = await this.#api.submit(body);
      this.#record(body, true, status, took(), raw);
      this.#take(body, answer);
      return true;
    } catch (error) {
      const failure = asApiError(error);
      this.#record(body, false, failure.status, took(), failure.problem ?? failure.message);
      this.failed = { body, error: failure };
      this.status = { tone: 'bad', text: `“${eventName(body.event)}” was not confirmed.` };
      this.#onFailure(failure);
      return false;
    } finally {
      this.sending = false;
    }
  }

  #take(body: EventBody, answer: SubmitAnswer): void {
    const before = this.answered;
    const changes =
      before?.userId === body.user_id
        ? compareLists(before.answer.recommendations, answer.recommendations)
        : null;
    this.learn(answer.recommendations);
    this.answered = { userId: body.user_id, answer, changes };
    this.failed = null;
    this.#keepCart(body.user_id, applyEvent(this.#carts.get(body.user_id) ?? [], body));
    const list = count(answer.recommendations.length, 'recommendation');
    const moved = changes ? `, ${countChanges(changes)}` : '';
    this.status = { tone: 'good', text: `${eventName(body.event)}: ${list}${moved}.` };
  }

  #keepCart(userId: string, lines: CartLine[]): void {
    this.#carts.set(userId, lines);
    if (!this.#store) return;
    const products = lines.flatMap((line) => this.#known.get(line.product_id) ?? []);
    saveCart(this.#store, { user_id: userId, lines, products });
  }

  #record(body: EventBody, ok: boolean, status: number, tookMs: number, response: unknown): void {
    const entry = { key: this.#nextKey, at: Date.now(), body, ok, status, tookMs, response };
    this.#nextKey += 1;
    this.log = [entry, ...this.log].slice(0, MAX_LOG);
  }
}
