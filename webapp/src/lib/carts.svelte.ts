/** Carts by user, kept in the browser's storage. */
import { SvelteMap } from 'svelte/reactivity';
import { applyEvent, type CartLine } from './cart';
import type { ProductLabels } from './labels.svelte';
import { CARTS_KEY, loadCarts, saveCart } from './storage';
import type { EventBody } from './types';

export class Carts {
  readonly #store: Storage | null;
  readonly #labels: ProductLabels;
  readonly #carts = new SvelteMap<string, readonly CartLine[]>();

  /** Loads the stored carts, and adds their products to `labels`. */
  constructor(store: Storage | null, labels: ProductLabels) {
    this.#store = store;
    this.#labels = labels;
    this.#load();
  }

  /** Takes over the carts that another tab has stored under `key`; null if it removed everything. */
  read(key: string | null): void {
    if (key !== null && key !== CARTS_KEY) return;
    this.#carts.clear();
    this.#load();
  }

  #load(): void {
    for (const cart of this.#store ? loadCarts(this.#store) : []) {
      this.#carts.set(cart.user_id, cart.lines);
      this.#labels.add(cart.products);
    }
  }

  get(userId: string): readonly CartLine[] {
    return this.#carts.get(userId) ?? [];
  }

  /** Replaces a user's cart, and stores it with the labels of its products. */
  set(userId: string, lines: readonly CartLine[]): void {
    this.#carts.set(userId, lines);
    if (!this.#store) return;
    const products = lines.flatMap((line) => this.#labels.get(line.product_id) ?? []);
    saveCart(this.#store, { user_id: userId, lines: [...lines], products });
  }

  /** Applies an event that the server accepted. */
  apply(body: EventBody): void {
    this.set(body.user_id, applyEvent(this.get(body.user_id), body));
  }
}
