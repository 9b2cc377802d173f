/** A rule as its form holds it. Pure. */
import type { Problem, Rule, RuleAction, Weekday } from '../../../lib/types';
import { choiceOf, productsOf, type Choice } from './choice';

/** Actions in plain words. */
export const ACTIONS: Record<RuleAction['kind'], string> = {
  boost: 'Boost products',
  bury: 'Lower products',
  pin: 'Put a product at a place',
  block: 'Never show products',
  at_most: 'Show at most so many',
  at_least: 'Show at least so many',
  only_with: 'Show only with products in the cart',
  never_with: 'Do not show with products in the cart',
};

/** The number of an action: its label, its bounds, and an explanation. */
export const AMOUNTS: Partial<
  Record<RuleAction['kind'], { label: string; max: number; whole: boolean; hint: string }>
> = {
  boost: {
    label: 'Factor',
    max: 1000,
    whole: false,
    hint: 'More than 1. With 3, a product with a chance of 5% is placed as one of 14%.',
  },
  bury: {
    label: 'Factor',
    max: 1000,
    whole: false,
    hint: 'More than 1. With 3, a product with a chance of 14% is placed as one of 5%.',
  },
  pin: { label: 'Place', max: 100, whole: true, hint: '1 is the first of the list.' },
  at_most: { label: 'Number', max: 100, whole: true, hint: 'Pinned products count too.' },
  at_least: {
    label: 'Number',
    max: 100,
    whole: true,
    hint: 'As long as so many products may be shown.',
  },
};

export interface Draft {
  name: string;
  active: boolean;
  priority: number;
  kind: RuleAction['kind'];
  /** The factor, place or number of the action, if it has one. */
  amount: number;
  /** What `at_most` counts by itself; empty for all products together. */
  per: '' | 'department' | 'aisle' | 'brand';
  products: Choice;
  cart: Choice;
  placements: string[];
  segment: string;
  category: string;
  from: string;
  until: string;
  weekdays: Weekday[];
}

/** The part of a form that a problem is shown at. */
export type Field =
  'name' | 'priority' | 'amount' | 'products' | 'cart' | 'placements' | 'segment' | 'category';

/** What a form starts with, for a stored rule or a new one. */
export function draftOf(rule: Rule | null): Draft {
  const scope = rule?.scope ?? {};
  const action = rule?.action ?? { kind: 'boost', factor: 2 };
  return {
    name: rule?.name ?? '',
    active: rule?.active ?? true,
    priority: rule?.priority ?? 0,
    kind: action.kind,
    amount: amountOf(action),
    per: (action.kind === 'at_most' && action.per) || '',
    products: rule ? choiceOf(rule.products) : { by: 'brand', text: '' },
    cart: 'cart' in action ? choiceOf(action.cart) : { by: 'department', text: '' },
    placements: scope.placements ?? [],
    segment: scope.segment ?? '',
    category: scope.category ?? '',
    from: scope.from ?? '',
    until: scope.until ?? '',
    weekdays: scope.weekdays ?? [],
  };
}

function amountOf(action: RuleAction): number {
  if ('factor' in action) return action.factor;
  if ('place' in action) return action.place;
  return 'count' in action ? action.count : 2;
}

/** The rule of a form. */
export function ruleOf(draft: Draft, id: string): Rule {
  const { segment, category, from, until } = draft;
  const products = productsOf(draft.products);
  return {
    id,
    name: draft.name.trim(),
    active: draft.active,
    priority: draft.priority,
    ...(products ? { products } : {}),
    action: actionOf(draft),
    scope: {
      placements: draft.placements,
      weekdays: draft.weekdays,
      ...(segment.trim() === '' ? {} : { segment: segment.trim() }),
      ...(category.trim() === '' ? {} : { category: category.trim() }),
      ...(from === '' ? {} : { from }),
      ...(until === '' ? {} : { until }),
    },
  };
}

function actionOf({ kind, amount, per, cart }: Draft): RuleAction {
  const inCart = productsOf(cart) ?? { ids: [] };
  switch (kind) {
    case 'boost':
    case 'bury':
      return { kind, factor: amount };
    case 'pin':
      return { kind, place: amount };
    case 'at_most':
      return { kind, count: amount, ...(per === '' ? {} : { per }) };
    case 'at_least':
      return { kind, count: amount };
    case 'block':
      return { kind };
    case 'only_with':
    case 'never_with':
      return { kind, cart: inCart };
  }
}

/** An id for a new rule: its name in plain letters, and a number if the id is taken. */
export function newRuleId(name: string, taken: readonly string[]): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replace(/^-|-$/g, '');
  const first = plain === '' ? 'rule' : plain;
  // Ids that are paths of the API.
  const refused = [...taken, 'history', 'undo'];
  let id = first;
  for (let number = 2; refused.includes(id); number += 1) id = `${first}-${number}`;
  return id;
}

/** The field of the form that a problem is about; null if it is about none. */
export function fieldOf(problem: Problem | null): Field | null {
  const name = problem?.field ?? '';
  const prefixes: [string, Field][] = [
    ['action.cart', 'cart'],
    ['action', 'amount'],
    ['products', 'products'],
    ['scope.segment', 'segment'],
    ['scope.category', 'category'],
    ['scope.placements', 'placements'],
    ['name', 'name'],
    ['priority', 'priority'],
  ];
  return prefixes.find(([prefix]) => name.startsWith(prefix))?.[1] ?? null;
}
