/** Differences between two recommendation lists for one user. Pure. */
import { abbreviate } from './format';
import type { Recommendation } from './types';

/** How a product's position changed; a positive `by` is a move up. */
export type Change = { kind: 'new' } | { kind: 'same' } | { kind: 'moved'; by: number };

export interface Changes {
  byProduct: ReadonlyMap<string, Change>;
  /** Names of products that are only in the older list, in its order. */
  dropped: string[];
  added: number;
  moved: number;
}

/** Compares two lists, best first. */
export function compareLists(
  before: readonly Recommendation[],
  after: readonly Recommendation[],
): Changes {
  const positions = new Map(before.map((entry, index) => [entry.product_id, index]));
  const byProduct = new Map<string, Change>();
  let added = 0;
  let moved = 0;
  after.forEach((entry, index) => {
    const previous = positions.get(entry.product_id);
    if (previous === undefined) {
      added += 1;
      byProduct.set(entry.product_id, { kind: 'new' });
    } else if (previous === index) {
      byProduct.set(entry.product_id, { kind: 'same' });
    } else {
      moved += 1;
      byProduct.set(entry.product_id, { kind: 'moved', by: previous - index });
    }
  });
  const dropped = before
    .filter((entry) => !byProduct.has(entry.product_id))
    .map((entry) => entry.product_name);
  return { byProduct, dropped, added, moved };
}

/** The number of changes of each kind, to end a sentence with. */
export function countChanges({ added, moved, dropped }: Changes): string {
  const parts = [
    added > 0 ? `${added} new` : '',
    moved > 0 ? `${moved} moved` : '',
    dropped.length > 0 ? `${dropped.length} dropped` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'no change' : parts.join(', ');
}

/** The changes as one sentence, with the names of dropped products. */
export function describeChanges(changes: Changes): string {
  const names = changes.dropped.length > 0 ? ` (${abbreviate(changes.dropped)})` : '';
  return `Since the last response: ${countChanges(changes)}${names}.`;
}
