/** The products of a rule, as a form asks for them. Pure. */
import { abbreviate } from '../../../lib/format';
import type { RuleProducts } from '../../../lib/types';

/** How products are chosen, in plain words. */
export const CHOICES = {
  department: 'A department',
  aisle: 'An aisle',
  brand: 'A brand',
  tag: 'A tag',
  ids: 'Single products',
  select: 'A condition',
} as const;

/** A way to choose products; `all` stands for every product. */
export type ChoiceKind = keyof typeof CHOICES | 'all';

export interface Choice {
  by: ChoiceKind;
  /** A name, ids separated by commas, or a condition. */
  text: string;
}

const NAMED = /^(department|aisle|brand) = "((?:[^"\\]|\\["\\])*)"$/;
const TAGGED = /^"((?:[^"\\]|\\["\\])*)" in tags$/;

/** The choice that stands for the products of a rule. */
export function choiceOf(products: RuleProducts | null | undefined): Choice {
  if (!products) return { by: 'all', text: '' };
  if ('ids' in products) return { by: 'ids', text: products.ids.join(', ') };
  const { select } = products;
  const named = NAMED.exec(select);
  if (named) return { by: named[1] as ChoiceKind, text: unquoted(named[2] ?? '') };
  const tagged = TAGGED.exec(select);
  if (tagged) return { by: 'tag', text: unquoted(tagged[1] ?? '') };
  return { by: 'select', text: select };
}

/** The products that a choice stands for; null for all. */
export function productsOf({ by, text }: Choice): RuleProducts | null {
  const name = text.trim();
  if (by === 'all') return null;
  if (by === 'ids') return { ids: idsOf(text) };
  if (by === 'select') return { select: name };
  const quoted = `"${name.replace(/["\\]/g, '\\$&')}"`;
  return { select: by === 'tag' ? `${quoted} in tags` : `${by} = ${quoted}` };
}

/** The ids of a text that separates them by commas. */
export function idsOf(text: string): string[] {
  return text
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');
}

/** `products of the brand “Uji”`: products as a part of a sentence; `nameOf` names one by its id. */
export function describeChoice({ by, text }: Choice, nameOf: (id: string) => string): string {
  const name = text.trim();
  if (by === 'all') return 'all products';
  if (by === 'select') return `products with ${name}`;
  if (by === 'tag') return `products with the tag “${name}”`;
  if (by !== 'ids') return `products of the ${by} “${name}”`;
  const names = idsOf(text).map(nameOf);
  return names.length === 1 ? `the product ${names[0]}` : `the products ${abbreviate(names)}`;
}

function unquoted(text: string): string {
  return text.replace(/\\(["\\])/g, '$1');
}
