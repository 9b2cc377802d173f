/** Reports which recommended products were visible, so that only those count as shown. */
import type { Action } from 'svelte/action';

/** Milliseconds for which half of an element has to be visible. */
export const VISIBLE_MS = 500;
/** Milliseconds for which reports are collected before they are sent. */
export const COLLECT_MS = 1_000;
/** Most answers of which products are noted, the newest. */
const MAX_ANSWERS = 50;

/** The products of an answer that were visible, and those of them that have not been reported. */
interface Noted {
  all: Set<string>;
  waiting: Set<string>;
}

/** Sends the products of each answer. `leaving` tells that the page is about to go away. */
type Send = (seen: ReadonlyMap<string, readonly string[]>, leaving: boolean) => Promise<void>;

export class Seen {
  readonly #send: Send;
  /** By the answer's id, oldest first. */
  readonly #answers = new Map<string, Noted>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: Send) {
    this.#send = send;
  }

  /** Notes that a product of an answer was visible. */
  note(recommendationId: string, productId: string): void {
    if (recommendationId === '') return;
    const noted = this.#noted(recommendationId);
    if (noted.all.has(productId)) return;
    noted.all.add(productId);
    noted.waiting.add(productId);
    this.#timer ??= setTimeout(() => void this.flush(), COLLECT_MS);
  }

  /** Sends what waits. What does not get through waits for the next report. */
  async flush(leaving = false): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = [...this.#answers].filter(([, { waiting }]) => waiting.size > 0);
    if (waiting.length === 0) return;
    const sent = new Map(waiting.map(([id, noted]) => [id, [...noted.waiting]]));
    for (const [, noted] of waiting) noted.waiting.clear();
    try {
      await this.#send(sent, leaving);
    } catch {
      for (const [id, products] of sent) {
        for (const product of products) this.#answers.get(id)?.waiting.add(product);
      }
    }
  }

  /** Sends what waits, without a timer from now on. */
  stop(): void {
    void this.flush(true);
  }

  #noted(recommendationId: string): Noted {
    const known = this.#answers.get(recommendationId);
    if (known) return known;
    const noted = { all: new Set<string>(), waiting: new Set<string>() };
    this.#answers.set(recommendationId, noted);
    const oldest = this.#answers.keys().next();
    if (this.#answers.size > MAX_ANSWERS && !oldest.done) this.#answers.delete(oldest.value);
    return noted;
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
