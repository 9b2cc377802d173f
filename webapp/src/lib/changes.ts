/** What moved between two answers for one user. Pure. */
import type { Recommendation } from './types';

/** A product's way: `by` is places upwards, so negative is downwards. */
export type Change = { kind: 'new' } | { kind: 'same' } | { kind: 'moved'; by: number };

export interface Changes {
  byProduct: ReadonlyMap<string, Change>;
  /** Names of the products that the newer list no longer holds, in the older order. */
  left: string[];
  added: number;
  moved: number;
}

/** Compares two lists, best first. */
export function compareLists(
  before: readonly Recommendation[],
  after: readonly Recommendation[],
): Changes {
  const places = new Map(before.map((entry, index) => [entry.product_id, index]));
  const byProduct = new Map<string, Change>();
  let added = 0;
  let moved = 0;
  after.forEach((entry, index) => {
    const was = places.get(entry.product_id);
    if (was === undefined) {
      added += 1;
      byProduct.set(entry.product_id, { kind: 'new' });
    } else if (was === index) {
      byProduct.set(entry.product_id, { kind: 'same' });
    } else {
      moved += 1;
      byProduct.set(entry.product_id, { kind: 'moved', by: was - index });
    }
  });
  const left = before
    .filter((entry) => !byProduct.has(entry.product_id))
    .map((entry) => entry.product_name);
  return { byProduct, left, added, moved };
}

/** The changes in numbers, as the end of a sentence. */
export function countChanges({ added, moved, left }: Changes): string {
  const parts = [
    added > 0 ? `${added} new` : '',
    moved > 0 ? `${moved} moved` : '',
    left.length > 0 ? `${left.length} gone` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'nothing moved' : parts.join(', ');
}

/** The changes as one sentence, with the names of what is gone. */
export function describeChanges(changes: Changes): string {
  const gone = changes.left.length > 0 ? ` (${some(changes.left)})` : '';
  return `Since the last answer: ${countChanges(changes)}${gone}.`;
}

/** The first three names, and how many more there are. */
function some(names: readonly string[]): string {
  const more = names.length - 3;
  return names.slice(0, 3).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
