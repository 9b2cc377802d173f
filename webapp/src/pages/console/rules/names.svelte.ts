/** Names of the products that rules list by id. */
import { SvelteMap } from 'svelte/reactivity';
import type { App } from '../../../lib/app.svelte';
import type { RuleProducts, Rule } from '../../../lib/types';

/** Maximum number of products whose names a page asks for. */
const MAX_NAMES = 200;
/** Products of a list that are named; `abbreviate` counts the others. */
const NAMED = 3;

export class ProductNames {
  readonly #app: App;
  readonly #names = new SvelteMap<string, string>();
  readonly #asked = new Set<string>();

  constructor(app: App) {
    this.#app = app;
  }

  /** `“Golden Green Tea” (1559)`; the id alone while the name is not known. */
  readonly of = (id: string): string => {
    const name = this.#names.get(id);
    return name === undefined ? id : `“${name}” (${id})`;
  };

  /** Takes a name that the page knows already. */
  add(id: string, name: string): void {
    this.#asked.add(id);
    this.#names.set(id, name);
  }

  /** Asks once for the name of each product. Without an answer, its id stands for it. */
  load(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#asked.has(id) || this.#asked.size >= MAX_NAMES) continue;
      this.#asked.add(id);
      // A search finds an id too, and an unknown one is no error.
      this.#app.api.catalogue({ search: id, limit: 1 }).then(
        ({ products }) => {
          const found = products.find(({ product_id }) => product_id === id);
          if (found) this.#names.set(id, found.product_name);
        },
        () => this.#asked.delete(id),
      );
    }
  }

  /** Asks for the names that the sentences of `rules` mention. */
  loadRules(rules: readonly Rule[]): void {
    const listed = (products: RuleProducts | null | undefined): string[] =>
      products && 'ids' in products ? products.ids.slice(0, NAMED) : [];
    for (const { products, action } of rules) {
      this.load([...listed(products), ...('cart' in action ? listed(action.cart) : [])]);
    }
  }
}
