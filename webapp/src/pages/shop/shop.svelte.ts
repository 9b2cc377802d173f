/** The shop's state: who shops, what is in the cart, what is recommended. */
import { SvelteMap } from 'svelte/reactivity';
import { ApiError } from '../../lib/api';
import type { App } from '../../lib/app.svelte';
import { applyEvent, type CartLine } from '../../lib/cart';
import { compareLists, type Changes } from '../../lib/changes';
import { count } from '../../lib/format';
import { newId } from '../../lib/ids';
import { loadCarts, saveCart } from '../../lib/storage';
import type {
  Department,
  EventBody,
  EventKind,
  ProductLabel,
  Recommendation,
  SubmitAnswer,
} from '../../lib/types';
import { idProblem, userIdProblem } from '../../lib/validate';
import { Outbox } from './outbox.svelte';

const SHOPPER_KEY = 'cartwheel.shopper.v1';
/** Most products whose names are kept. */
const MAX_KNOWN = 2000;
const SHOWN = 10;
/** A notice goes away after this time, in milliseconds. */
const NOTICE_MS = 8_000;

/** A list of recommendations and what moved against the one before. */
export interface Shown {
  recommendationId: string;
  modelVersion: string;
  degraded: boolean;
  rows: Recommendation[];
  changes: Changes | null;
}

export interface Notice {
  text: string;
  tone: 'good' | 'bad';
  /** Takes back what the notice is about. */
  undo?: () => void;
}

/** What was bought, as the shopper sees it. */
export interface Order {
  eventId: string;
  lines: CartLine[];
  /** Whether the server has it; else it is kept and will be sent. */
  sent: boolean;
}

export class Shop {
  readonly app: App;
  readonly outbox: Outbox;
  readonly #store: Storage | null;
  readonly #sessionId = newId();
  /** Carts as the server knows them, by shopper. */
  readonly #carts = new SvelteMap<string, readonly CartLine[]>();
  /** Shoppers whose cart has not been read since it may have changed. */
  readonly #unread = new Set<string>();
  /** Counts the events made here: an older answer about a cart counts no more. */
  #acts = 0;
  readonly #known = new SvelteMap<string, ProductLabel>();
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;

  userId = $state('');
  shown = $state.raw<Shown | null>(null);
  /** Why there are no recommendations; null where there are, or they are on their way. */
  failure = $state.raw<ApiError | null>(null);
  departments = $state.raw<Department[]>([]);
  departmentsFailure = $state.raw<ApiError | null>(null);
  notice = $state.raw<Notice | null>(null);
  order = $state.raw<Order | null>(null);
  cartOpen = $state(false);
  pickerOpen = $state(false);

  /** The cart as it will be once all events have arrived. */
  readonly cart = $derived.by(() => {
    const own = this.outbox.queue.filter((event) => event.user_id === this.userId);
    return own.reduce<readonly CartLine[]>(applyEvent, this.#carts.get(this.userId) ?? []);
  });
  readonly pieces = $derived(this.cart.reduce((sum, line) => sum + line.quantity, 0));
  readonly isGuest = $derived(this.userId.startsWith('guest-'));

  constructor(app: App, store: Storage | null) {
    this.app = app;
    this.#store = store;
    this.outbox = new Outbox(
      {
        send: async (body) => (await app.api.submit(body)).answer,
        answered: (body, answer) => this.#answered(body, answer),
        refused: (body, error) => this.#refused(body, error),
        kept: (_body, error) => void app.failed(error),
      },
      store,
    );
    for (const cart of store ? loadCarts(store) : []) {
      this.#carts.set(cart.user_id, cart.lines);
      this.learn(cart.products);
    }
    this.userId = remembered(store) ?? newGuest();
    this.#remember();
  }

  /** Ends with its page: what waits is kept for the next one. */
  stop(): void {
    this.outbox.stop();
    clearTimeout(this.#noticeTimer);
  }

  /** Asks for what the first look needs. */
  async start(): Promise<void> {
    void this.outbox.flush();
    await Promise.all([this.loadDepartments(), this.refresh()]);
  }

  /** Goes on after the server was away. */
  async recover(): Promise<void> {
    void this.outbox.flush();
    if (this.departments.length === 0) void this.loadDepartments();
    if (!this.shown) await this.refresh();
  }

  async loadDepartments(): Promise<void> {
    this.departmentsFailure = null;
    try {
      this.departments = await this.app.api.departments();
    } catch (error) {
      this.departmentsFailure = this.app.failed(error);
    }
  }

  /** Reads the shopper's cart and recommendations from the server. */
  async refresh(): Promise<void> {
    const userId = this.userId;
    await Promise.all([this.#loadCart(userId), this.#recommend(userId)]);
  }

  async #loadCart(userId: string): Promise<void> {
    this.#unread.add(userId);
    const acts = this.#acts;
    try {
      const { items } = await this.app.api.cart(userId);
      // Events since or on their way may be in this cart or not: it is read again after them.
      if (this.outbox.queue.length > 0 || acts !== this.#acts) {
        if (this.outbox.queue.length === 0) void this.#loadCart(userId);
        return;
      }
      this.#unread.delete(userId);
      this.learn(items);
      this.#keepCart(
        userId,
        items.map(({ product_id, quantity }) => ({ product_id, quantity })),
      );
    } catch (error) {
      this.app.failed(error);
    }
  }

  async #recommend(userId: string): Promise<void> {
    this.failure = null;
    const before = this.shown;
    // The answer to an event is newer, and one for another shopper is not wanted.
    const wanted = (): boolean => userId === this.userId && this.shown === before;
    try {
      const answer = await this.app.api.recommend({ user_id: userId, limit: SHOWN });
      if (wanted()) this.#show(answer);
    } catch (error) {
      const failure = this.app.failed(error);
      if (wanted()) this.failure = failure;
    }
  }

  /** Shops as somebody else. */
  async choose(userId: string): Promise<void> {
    this.userId = userId;
    this.shown = null;
    this.order = null;
    this.pickerOpen = false;
    this.dismiss();
    this.#remember();
    await this.refresh();
  }

  chooseNew(): Promise<void> {
    return this.choose(newGuest());
  }

  view(productId: string, from: string): void {
    this.#act('view', { product_ids: [productId] }, from);
  }

  add(product: ProductLabel, quantity = 1, from = ''): void {
    this.learn([product]);
    this.order = null;
    const items = [{ product_id: product.product_id, quantity }];
    if (this.#act('add_to_cart', { items }, from)) {
      this.#tell({ tone: 'good', text: `${product.product_name} is in the cart.` });
    }
  }

  /** Sets how many pieces of a product the cart holds; 0 removes it. */
  setQuantity(productId: string, quantity: number): void {
    if (quantity <= 0) return this.remove(productId);
    const items = this.cart.map((line) =>
      line.product_id === productId ? { ...line, quantity } : line,
    );
    this.#act('update_cart', { items });
  }

  remove(productId: string): void {
    const place = this.cart.findIndex((line) => line.product_id === productId);
    const removed = this.cart[place];
    if (!removed || !this.#act('remove_from_cart', { product_ids: [productId] })) return;
    this.#tell({
      tone: 'good',
      text: `${this.nameOf(productId)} was removed.`,
      undo: () => this.#putBack(removed, place),
    });
  }

  /** Puts a line where it was; what was done since stays. */
  #putBack(removed: CartLine, place: number): void {
    if (this.cart.some((line) => line.product_id === removed.product_id)) return;
    const items = [...this.cart];
    items.splice(place, 0, removed);
    this.#act('update_cart', { items });
  }

  checkout(): void {
    const lines = [...this.cart];
    if (lines.length === 0) return;
    const eventId = newId();
    this.order = { eventId, lines, sent: false };
    this.dismiss();
    if (!this.#act('checkout', {}, '', eventId)) this.order = null;
  }

  nameOf(productId: string): string {
    return this.#known.get(productId)?.product_name ?? productId;
  }

  /** What is known of a product; its id for a name where nothing is. */
  label(productId: string): ProductLabel {
    return (
      this.#known.get(productId) ?? {
        product_id: productId,
        product_name: productId,
        aisle: '',
        department: '',
      }
    );
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

  dismiss(): void {
    clearTimeout(this.#noticeTimer);
    this.notice = null;
  }

  undo(): void {
    const undo = this.notice?.undo;
    this.dismiss();
    undo?.();
  }

  #act(
    event: EventKind,
    what: Pick<EventBody, 'items' | 'product_ids'>,
    from = '',
    eventId = newId(),
  ): boolean {
    const taken = this.outbox.put({
      event_id: eventId,
      user_id: this.userId,
      session_id: this.#sessionId,
      event,
      ...what,
      // It may come from an address, where anybody writes anything.
      ...(idProblem(from, '') === null ? { recommendation_id: from } : {}),
    });
    if (taken) this.#acts += 1;
    if (!taken) {
      const kept = count(this.outbox.queue.length, 'action');
      this.#tell({ tone: 'bad', text: `${kept} wait to be sent; no more can be kept.` });
    }
    return taken;
  }

  #answered(body: EventBody, answer: SubmitAnswer): void {
    this.#keepCart(body.user_id, applyEvent(this.#carts.get(body.user_id) ?? [], body));
    if (this.order?.eventId === body.event_id) this.order = { ...this.order, sent: true };
    if (body.user_id === this.userId) this.#show(answer);
    // An answer is news of the connection too, sooner than the next look at it.
    if (this.app.down) void this.app.checkConnection();
    if (this.outbox.queue.length > 0) return;
    for (const userId of this.#unread) void this.#loadCart(userId);
  }

  #refused(body: EventBody, error: ApiError): void {
    if (this.order?.eventId === body.event_id) this.order = null;
    const expected = error.problem?.expected ? ` Expected: ${error.problem.expected}.` : '';
    // Nobody asked for a look to be counted: it is not worth a word.
    if (body.event !== 'view') {
      this.#tell({ tone: 'bad', text: `Taken back: ${error.message}${expected}` });
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
    this.learn(rows);
    this.shown = {
      recommendationId: answer.recommendation_id,
      modelVersion: answer.model_version,
      degraded: answer.degraded,
      rows,
      changes: this.shown ? compareLists(this.shown.rows, rows) : null,
    };
    this.failure = null;
  }

  #tell(notice: Notice): void {
    clearTimeout(this.#noticeTimer);
    this.notice = notice;
    this.#noticeTimer = setTimeout(() => (this.notice = null), NOTICE_MS);
  }

  #keepCart(userId: string, lines: readonly CartLine[]): void {
    this.#carts.set(userId, lines);
    if (!this.#store) return;
    const products = lines.flatMap((line) => this.#known.get(line.product_id) ?? []);
    saveCart(this.#store, { user_id: userId, lines: [...lines], products });
  }

  #remember(): void {
    try {
      this.#store?.setItem(SHOPPER_KEY, this.userId);
    } catch {
      // Forbidden: the shopper then lasts as long as the page.
    }
  }
}

function newGuest(): string {
  return `guest-${newId().slice(0, 8)}`;
}

function remembered(store: Storage | null): string | null {
  try {
    const userId = store?.getItem(SHOPPER_KEY) ?? '';
    return userIdProblem(userId) === null ? userId : null;
  } catch {
    return null;
  }
}
