/** Reports which products of answers were visible, so that only those count as shown. */
import { put } from './outbox';

/** Milliseconds for which half of an element has to be visible. */
const VISIBLE_MS = 500;
/** Milliseconds for which reports are collected. */
const COLLECT_MS = 1_000;

interface Shown {
  recommendation: string;
  product: string;
  timer?: ReturnType<typeof setTimeout> | undefined;
}

const watched = new WeakMap<Element, Shown>();
const waiting = new Map<string, string[]>();
let timer: ReturnType<typeof setTimeout> | undefined;

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, intersectionRatio } of entries) {
      const shown = watched.get(target);
      if (!shown) continue;
      clearTimeout(shown.timer);
      shown.timer =
        intersectionRatio >= 0.5 ? setTimeout(() => note(target, shown), VISIBLE_MS) : undefined;
    }
  },
  { threshold: [0, 0.5] },
);

function note(target: Element, { recommendation, product }: Shown): void {
  observer.unobserve(target);
  waiting.set(recommendation, [...(waiting.get(recommendation) ?? []), product]);
  timer ??= setTimeout(report, COLLECT_MS);
}

/** Watches an element that shows a product of an answer. */
export function watch(target: Element, recommendation: string, product: string): void {
  watched.set(target, { recommendation, product });
  observer.observe(target);
}

/** Puts what was seen into the outbox. */
export function report(): void {
  clearTimeout(timer);
  timer = undefined;
  for (const [recommendation_id, product_ids] of waiting) {
    put({ event: 'impression', recommendation_id, product_ids });
  }
  waiting.clear();
}
