/** Reports which recommended products were visible, so that only those count as shown. */
import type { Action } from 'svelte/action';

/** Milliseconds for which half of an element has to be visible. */
export const VISIBLE_MS = 500;
/** Milliseconds for which reports are collected before they are sent. */
export const COLLECT_MS = 1_000;
/** Most answers whose reports wait; the oldest are given up. */
const MAX_WAITING = 50;

/** Sends the products of each answer. `leaving` tells that the page is about to go away. */
type Send = (seen: ReadonlyMap<string, readonly string[]>, leaving: boolean) => Promise<void>;

export class Seen {
  readonly #send: Send;
  /** Products by answer that have not been reported. */
  #waiting = new Map<string, Set<string>>();
  /** Everything noted, so that no product of an answer is reported twice. */
  #noted = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: Send) {
    this.#send = send;
  }

  /** Notes that a product of an answer was visible. */
  note(recommendationId: string, productId: string): void {
    const key = `${recommendationId}/${productId}`;
    if (recommendationId === '' || this.#noted.has(key)) return;
    this.#noted.add(key);
    this.#wait(recommendationId, [productId]);
    this.#timer ??= setTimeout(() => void this.flush(), COLLECT_MS);
  }

  /** Sends what waits. What does not get through waits for the next report. */
  async flush(leaving = false): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const sent = new Map([...this.#waiting].map(([id, products]) => [id, [...products]]));
    this.#waiting = new Map();
    try {
      await this.#send(sent, leaving);
    } catch {
      for (const [id, products] of sent) this.#wait(id, products);
    }
  }

  /** Sends what waits, without a timer from now on. */
  stop(): void {
    void this.flush(true);
  }

  #wait(recommendationId: string, products: readonly string[]): void {
    const all = this.#waiting.get(recommendationId) ?? new Set<string>();
    for (const product of products) all.add(product);
    this.#waiting.set(recommendationId, all);
    const oldest = this.#waiting.keys().next();
    if (this.#waiting.size > MAX_WAITING && !oldest.done) this.#waiting.delete(oldest.value);
  }
}

/** What an element shows; without an answer it is not reported. */
export interface Shown {
  seen: Seen;
  recommendationId: string;
  productId: string;
}

/** Notes the product of an element once half of it was visible for a moment. */
export const watch: Action<HTMLElement, Shown> = (node, first) => {
  let shown = first;
  let visible = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const begin = (): void => {
    clearTimeout(timer);
    if (!visible) return;
    timer = setTimeout(() => {
      shown.seen.note(shown.recommendationId, shown.productId);
    }, VISIBLE_MS);
  };
  const observer = new IntersectionObserver(
    (entries) => {
      visible = entries.some(({ intersectionRatio }) => intersectionRatio >= 0.5);
      begin();
    },
    { threshold: [0, 0.5] },
  );
  observer.observe(node);
  return {
    update(next) {
      const isOther =
        next.recommendationId !== shown.recommendationId || next.productId !== shown.productId;
      shown = next;
      if (isOther) begin();
    },
    destroy() {
      clearTimeout(timer);
      observer.disconnect();
    },
  };
};
