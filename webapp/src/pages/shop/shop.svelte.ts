/** The shop's state: the shopper, the cart and the recommendations. */
import { ApiError } from '../../lib/api-error';
import type { App } from '../../lib/app.svelte';
import { applyEvent, MAX_CART, type CartLine } from '../../lib/cart';
import { Carts } from '../../lib/carts.svelte';
import { compareLists, type Changes } from '../../lib/changes';
import { count } from '../../lib/format';
import { newId } from '../../lib/ids';
import { ProductLabels } from '../../lib/labels.svelte';
import { totalOf } from '../../lib/money';
import type {
  Department,
  EventBody,
  EventKind,
  Recommendation,
  ShownProduct,
  SubmitAnswer,
} from '../../lib/types';
import { idProblem, userIdProblem } from '../../lib/validate';
import { Notices } from './notices.svelte';
import { Outbox } from './outbox.svelte';
import { Seen } from './seen';

const SHOPPER_KEY = 'cartwheel.shopper.v1';
const OPERATOR_KEY = 'cartwheel.operator-view.v1';
/** Number of recommendations to ask for. */
const LIST_LENGTH = 10;
/** Longest text of a search, in characters; the server has the same limit. */
const MAX_QUERY = 200;

/** A list of recommendations, and its differences from the previous one. */
export interface RecommendationList {
  recommendationId: string;
  modelVersion: string;
  degraded: boolean;
  rows: Recommendation[];
  changes: Changes | null;
}

/** The shopper's last order. */
export interface Order {
  eventId: string;
  lines: CartLine[];
  /** Whether the server has accepted it; if not, it waits in the outbox. */
  sent: boolean;
}

export class Shop {
  readonly app: App;
  readonly outbox: Outbox;
  readonly labels = new ProductLabels();
  readonly notices = new Notices();
  /** The recommended products that were visible. */
  readonly seen: Seen;
  readonly #store: Storage | null;
  readonly #sessionId = newId();
  /** Carts without the events that are still in the outbox. */
  readonly #carts: Carts;
  /** Shoppers whose cart on the server may have changed since it was last read. */
  readonly #staleCarts = new Set<string>();
  /** Counts the events made here, to detect that a cart response is outdated. */
  #eventCount = 0;

  userId = $state('');
  list = $state.raw<RecommendationList | null>(null);
  /** Why there are no recommendations; null while they load and once they are there. */
  failure = $state.raw<ApiError | null>(null);
  departments = $state.raw<Department[]>([]);
  departmentsFailure = $state.raw<ApiError | null>(null);
  /** Whether the server has answered that it has no products. */
  isEmpty = $state(false);
  order = $state.raw<Order | null>(null);
  cartOpen = $state(false);
  pickerOpen = $state(false);
  /** Whether lists show probabilities and changes. */
  operatorView = $state(false);

  /** The cart with all events of the outbox applied. */
  readonly cart = $derived.by(() => {
    const waiting = this.outbox.queue.filter((event) => event.user_id === this.userId);
    return waiting.reduce<readonly CartLine[]>(applyEvent, this.#carts.get(this.userId));
  });
  /** Number of items in the cart, counting quantities. */
  readonly itemCount = $derived(this.cart.reduce((sum, line) => sum + line.quantity, 0));
  /** What the cart costs. */
  readonly total = $derived(
    totalOf(
      this.cart.map(({ product_id, quantity }) => {
        const { price, currency } = this.labels.getOrPlaceholder(product_id);
        return { price: price ?? null, currency: currency ?? null, quantity };
      }),
    ),
  );
  readonly isGuest = $derived(this.userId.startsWith('guest-'));

  constructor(app: App, store: Storage | null) {
    this.app = app;
    this.#store = store;
    this.outbox = new Outbox(
      {
        send: async (body) => (await app.api.submit(body)).answer,
        onAccepted: (body, answer) => this.#onAccepted(body, answer),
        onRefused: (body, error) => this.#onRefused(body, error),
        onPostponed: (_body, error) => void app.handleError(error),
      },
      store,
    );
    this.#carts = new Carts(store, this.labels);
    this.seen = new Seen((seen, leaving) => this.#report(seen, leaving));
    this.userId = loadShopper(store) ?? newGuest();
    this.#saveShopper();
    this.operatorView = store?.getItem(OPERATOR_KEY) === 'on';
  }

  /** Stops sending and timers; the outbox stays stored for the next page. */
  stop(): void {
    this.outbox.stop();
    this.seen.stop();
    this.notices.dismiss();
  }

  /** Sends the stored events, and loads the departments, cart and recommendations. */
  async start(): Promise<void> {
    void this.outbox.flush();
    await Promise.all([this.loadDepartments(), this.refresh()]);
  }

  /** Sends waiting events and loads missing data once the server is reachable again. */
  async recover(): Promise<void> {
    void this.outbox.flush();
    if (this.departments.length === 0) void this.loadDepartments();
    if (!this.list) await this.refresh();
  }

  async loadDepartments(): Promise<void> {
    this.departmentsFailure = null;
    try {
      this.departments = await this.app.api.departments();
      this.isEmpty = this.departments.length === 0;
    } catch (error) {
      this.departmentsFailure = this.app.handleError(error);
    }
  }

  /** Loads the shopper's cart and recommendations from the server. */
  async refresh(): Promise<void> {
    const userId = this.userId;
    await Promise.all([this.#loadCart(userId), this.#recommend(userId)]);
  }

  async #loadCart(userId: string): Promise<void> {
    this.#staleCarts.add(userId);
    const eventCount = this.#eventCount;
    try {
      const { items } = await this.app.api.cart(userId);
      // It is unknown whether this cart includes the events made since the request or still
      // in the outbox: load it again after them.
      if (this.outbox.queue.length > 0 || eventCount !== this.#eventCount) {
        if (this.outbox.queue.length === 0) void this.#loadCart(userId);
        return;
      }
      this.#staleCarts.delete(userId);
      this.labels.add(items);
      this.#carts.set(
        userId,
        items.map(({ product_id, quantity }) => ({ product_id, quantity })),
      );
    } catch (error) {
      this.app.handleError(error);
    }
  }

  async #recommend(userId: string): Promise<void> {
    this.failure = null;
    const before = this.list;
    // The response is outdated if an event's response or another shopper came first.
    const current = (): boolean => userId === this.userId && this.list === before;
    try {
      const answer = await this.app.api.recommend({ user_id: userId, limit: LIST_LENGTH });
      if (current()) this.#show(answer);
    } catch (error) {
      const failure = this.app.handleError(error);
      if (current()) this.failure = failure;
    }
  }

  /** Shows or hides what is for operators. */
  setOperatorView(on: boolean): void {
    this.operatorView = on;
    try {
      this.#store?.setItem(OPERATOR_KEY, on ? 'on' : 'off');
    } catch {
      // Storage is disabled: the choice lasts until the page is closed.
    }
  }

  /** Takes over what another tab has stored under `key`; null after everything was removed. */
  readStorage(key: string | null): void {
    this.#carts.read(key);
  }

  /** Opens the cart, with the prices and the stock of this moment. */
  openCart(): void {
    this.cartOpen = true;
    void this.#loadCart(this.userId);
  }

  /** The number of pieces of a product in the cart. */
  quantityOf(productId: string): number {
    return this.cart.find((line) => line.product_id === productId)?.quantity ?? 0;
  }

  /** Switches to another shopper. */
  async choose(userId: string): Promise<void> {
    void this.seen.flush();
    this.userId = userId;
    this.list = null;
    this.order = null;
    this.pickerOpen = false;
    this.notices.dismiss();
    this.#saveShopper();
    await this.refresh();
  }

  /** Switches to a new guest. */
  chooseNew(): Promise<void> {
    return this.choose(newGuest());
  }

  /** Records a view. `from` is the id of the recommendations that led here, or empty. */
  view(productId: string, from: string): void {
    this.#record('view', { product_ids: [productId] }, from);
  }

  /** Records a search that the shopper has finished. */
  search(query: string): void {
    const text = Array.from(query.trim()).slice(0, MAX_QUERY).join('');
    if (text !== '') this.#record('search', { query: text });
  }

  /** Adds a product to the cart. `from` is the id of the recommendations that showed it. */
  add(product: ShownProduct, quantity = 1, from = ''): void {
    this.labels.add([product]);
    if (!this.#hasRoom([product.product_id])) return;
    this.order = null;
    const items = [{ product_id: product.product_id, quantity }];
    if (this.#record('add_to_cart', { items }, from)) {
      this.notices.show({ tone: 'good', text: `Added ${product.product_name} to the cart.` });
    }
  }

  /** Adds one piece of each product that can be bought to the cart. */
  buyAgain(products: readonly ShownProduct[]): void {
    const offered = products.filter(({ shown }) => shown !== false);
    if (offered.length === 0) return;
    this.labels.add(offered);
    if (!this.#hasRoom(offered.map(({ product_id }) => product_id))) return;
    this.order = null;
    const items = offered.map(({ product_id }) => ({ product_id, quantity: 1 }));
    if (!this.#record('add_to_cart', { items })) return;
    const left = products.length - offered.length;
    const missing = left === 0 ? '' : ` ${count(left, 'product')} cannot be bought now.`;
    const text = `Added ${count(offered.length, 'product')} to the cart.${missing}`;
    this.notices.show({ tone: 'good', text });
  }

  /** Whether the cart has room for these products; says so if it has not. */
  #hasRoom(products: readonly string[]): boolean {
    const held = new Set([...this.cart.map(({ product_id }) => product_id), ...products]);
    if (held.size <= MAX_CART) return true;
    const text = `The cart holds at most ${MAX_CART} different products. Remove some, or check out first.`;
    this.notices.show({ tone: 'bad', text });
    return false;
  }

  /** Sets the quantity of a product in the cart; 0 removes the product. */
  setQuantity(productId: string, quantity: number): void {
    if (quantity <= 0) return this.remove(productId);
    const items = this.cart.map((line) =>
      line.product_id === productId ? { ...line, quantity } : line,
    );
    this.#record('update_cart', { items });
  }

  remove(productId: string): void {
    const index = this.cart.findIndex((line) => line.product_id === productId);
    const removed = this.cart[index];
    if (!removed || !this.#record('remove_from_cart', { product_ids: [productId] })) return;
    this.notices.show({
      tone: 'good',
      text: `Removed ${this.labels.nameOf(productId)} from the cart.`,
      undo: () => this.#restore(removed, index),
    });
  }

  /** Inserts a removed line at its old index; keeps all later changes. */
  #restore(removed: CartLine, index: number): void {
    if (this.cart.some((line) => line.product_id === removed.product_id)) return;
    const items = [...this.cart];
    items.splice(index, 0, removed);
    this.#record('update_cart', { items });
  }

  checkout(): void {
    const lines = [...this.cart];
    if (lines.length === 0) return;
    const eventId = newId();
    this.order = { eventId, lines, sent: false };
    this.notices.dismiss();
    if (!this.#record('checkout', {}, '', eventId)) this.order = null;
  }

  /** Puts an event into the outbox. Returns false, with a notice, if the outbox is full. */
  #record(
    event: EventKind,
    about: Pick<EventBody, 'items' | 'product_ids' | 'query'>,
    from = '',
    eventId = newId(),
  ): boolean {
    const queued = this.outbox.put({
      event_id: eventId,
      user_id: this.userId,
      session_id: this.#sessionId,
      event,
      ...about,
      // `from` may come from the page's address, so it can be anything.
      ...(idProblem(from, '') === null ? { recommendation_id: from } : {}),
    });
    if (queued) {
      this.#eventCount += 1;
    } else {
      const waiting = count(this.outbox.queue.length, 'action');
      this.notices.show({
        tone: 'bad',
        text: `Not recorded: ${waiting} already waiting to be sent, which is the maximum.`,
      });
    }
    return queued;
  }

  /** Reports which products of each answer were visible. */
  #report(seen: ReadonlyMap<string, readonly string[]>, leaving: boolean): Promise<void> {
    const events = [...seen].map(([recommendationId, products]) => ({
      event_id: newId(),
      user_id: this.userId,
      session_id: this.#sessionId,
      event: 'impression' as const,
      product_ids: [...products],
      recommendation_id: recommendationId,
    }));
    return this.app.api.report(events, leaving);
  }

  #onAccepted(body: EventBody, answer: SubmitAnswer): void {
    this.#carts.apply(body);
    if (this.order?.eventId === body.event_id) this.order = { ...this.order, sent: true };
    if (body.user_id === this.userId) this.#show(answer);
    // The server is reachable again: do not wait for the next poll.
    if (this.app.down) void this.app.checkConnection();
    if (this.outbox.queue.length > 0) return;
    for (const userId of this.#staleCarts) void this.#loadCart(userId);
  }

  #onRefused(body: EventBody, error: ApiError): void {
    if (this.order?.eventId === body.event_id) this.order = null;
    const expected = error.problem?.expected ? ` Expected: ${error.problem.expected}.` : '';
    // Shoppers do not know that views and searches are recorded.
    if (body.event !== 'view' && body.event !== 'search') {
      this.notices.show({ tone: 'bad', text: `Undone: ${error.message}${expected}` });
    }
    void this.#loadCart(body.user_id);
  }

  #show(answer: {
    recommendation_id: string;
    model_version: string;
    degraded: boolean;
    recommendations: Recommendation[];
  }): void {
    const rows = answer.recommendations;
    this.labels.add(rows);
    this.list = {
      recommendationId: answer.recommendation_id,
      modelVersion: answer.model_version,
      degraded: answer.degraded,
      rows,
      changes: this.list ? compareLists(this.list.rows, rows) : null,
    };
    this.failure = null;
  }

  #saveShopper(): void {
    try {
      this.#store?.setItem(SHOPPER_KEY, this.userId);
    } catch {
      // Storage is disabled: the shopper lasts until the page is closed.
    }
  }
}

function newGuest(): string {
  return `guest-${newId().slice(0, 8)}`;
}

/** The stored shopper's id; null without a valid one. */
function loadShopper(store: Storage | null): string | null {
  try {
    const userId = store?.getItem(SHOPPER_KEY) ?? '';
    return userIdProblem(userId) === null ? userId : null;
  } catch {
    return null;
  }
}
