/** The products that a page has received: their names and what the shop offers. */
import { SvelteMap } from 'svelte/reactivity';
import type { ShownProduct } from './types';

/** Maximum number of products. */
const MAX_LABELS = 2000;

export class ProductLabels {
  readonly #labels = new SvelteMap<string, ShownProduct>();

  /** Adds `products`, and drops the oldest beyond the limit. */
  add(products: readonly ShownProduct[]): void {
    for (const product of products) {
      this.#labels.set(product.product_id, {
        product_id: product.product_id,
        product_name: product.product_name,
        aisle: product.aisle,
        department: product.department,
        price: product.price ?? null,
        list_price: product.list_price ?? null,
        currency: product.currency ?? null,
        image_url: product.image_url ?? null,
        in_stock: product.in_stock ?? true,
        shown: product.shown ?? true,
      });
    }
    for (const oldest of this.#labels.keys()) {
      if (this.#labels.size <= MAX_LABELS) break;
      this.#labels.delete(oldest);
    }
  }

  get(productId: string): ShownProduct | undefined {
    return this.#labels.get(productId);
  }

  /** The product; if it is not known, with its id as the name. */
  getOrPlaceholder(productId: string): ShownProduct {
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
