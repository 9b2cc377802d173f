/** The labels of products that a page has received. */
import { SvelteMap } from 'svelte/reactivity';
import type { ProductLabel } from './types';

/** Maximum number of labels. */
const MAX_LABELS = 2000;

export class ProductLabels {
  readonly #labels = new SvelteMap<string, ProductLabel>();

  /** Adds the labels of `products`, and drops the oldest labels beyond the limit. */
  add(products: readonly ProductLabel[]): void {
    for (const { product_id, product_name, aisle, department } of products) {
      this.#labels.set(product_id, { product_id, product_name, aisle, department });
    }
    for (const oldest of this.#labels.keys()) {
      if (this.#labels.size <= MAX_LABELS) break;
      this.#labels.delete(oldest);
    }
  }

  get(productId: string): ProductLabel | undefined {
    return this.#labels.get(productId);
  }

  /** The product's label; without one, a label with the id as the name. */
  getOrPlaceholder(productId: string): ProductLabel {
    return (
      this.get(productId) ?? {
        product_id: productId,
        product_name: productId,
        aisle: '',
        department: '',
      }
    );
  }

  /** The product's name; its id if the name is not known. */
  nameOf(productId: string): string {
    return this.getOrPlaceholder(productId).product_name;
  }
}
