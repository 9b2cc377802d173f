/** Rules in plain words. Pure. */
import { longDay } from '../../../lib/time';
import type { Rule, RuleAction, RuleProducts, RuleScope, Weekday } from '../../../lib/types';
import { choiceOf, describeChoice } from './choice';

export const WEEKDAYS: readonly Weekday[] = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
];

/** `Monday` for `monday`. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `a`, `a and b`, `a, b and c`. */
function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}

function actionOf(
  action: RuleAction,
  chosen: RuleProducts | null | undefined,
  nameOf: (id: string) => string,
): string {
  const products = describeChoice(choiceOf(chosen), nameOf);
  switch (action.kind) {
    case 'pin': {
      const one = chosen && 'ids' in chosen && chosen.ids.length === 1;
      return `Put ${one ? products : `the best of ${products}`} at place ${action.place}`;
    }
    case 'boost':
      return `Boost ${products} by ${action.factor}`;
    case 'bury':
      return `Lower ${products} by ${action.factor}`;
    case 'block':
      return `Never show ${products}`;
    case 'at_most':
      return action.per
        ? `Show at most ${action.count} of each ${action.per}` +
            (chosen ? ` among ${products}` : '')
        : `Show at most ${action.count} of ${products}`;
    case 'at_least':
      return `Show at least ${action.count} of ${products}`;
    case 'only_with':
      return `Show ${products} only with ${describeChoice(choiceOf(action.cart), nameOf)} in the cart`;
    case 'never_with':
      return `Do not show ${products} with ${describeChoice(choiceOf(action.cart), nameOf)} in the cart`;
  }
}

/**
 * `Boost products of the brand “Uji” by 1.5 on home, until 5 December 2026.` Products that are
 * listed by id have the names that `nameOf` gives them.
 */
export function sentence(
  { action, products, scope = {} }: Rule,
  nameOf: (id: string) => string = (id) => id,
): string {
  const { placements = [], category, segment, weekdays = [], from, until } = scope;
  let text = actionOf(action, products, nameOf);
  if (placements.length > 0) text += ` on ${listed(placements)}`;
  if (category) text += ` where the page is about “${category}”`;
  if (segment) text += ` for shoppers with ${segment}`;
  if (weekdays.length > 0) text += ` on ${listed(weekdays.map((day) => `${capital(day)}s`))}`;
  if (from) text += `, from ${longDay(from)}`;
  if (until) text += `, until ${longDay(until)}`;
  return `${text}.`;
}

/** Whether a rule's dates hold on a day. */
export type Phase = 'off' | 'coming' | 'active' | 'ended';

/** Where a rule is in its schedule on `today`, such as `2026-12-05`, and the same in words. */
export function schedule(
  { active = true, scope = {} }: Pick<Rule, 'active' | 'scope'>,
  today: string,
): { phase: Phase; text: string } {
  const { from, until }: RuleScope = scope;
  if (!active) return { phase: 'off', text: 'Switched off' };
  if (until && until < today) return { phase: 'ended', text: `Ended on ${longDay(until)}` };
  if (from && from > today) return { phase: 'coming', text: `Starts on ${longDay(from)}` };
  return { phase: 'active', text: until ? `Active until ${longDay(until)}` : 'Active' };
}
