import { describe, expect, it } from 'vitest';
import type { Rule } from '../../../lib/types';
import { choiceOf, productsOf } from './choice';
import { draftOf, fieldOf, newRuleId, ruleOf } from './draft';
import { schedule, sentence } from './sentence';

const rule = (fields: Partial<Rule>): Rule => ({ id: 'r', action: { kind: 'block' }, ...fields });

describe('products of a rule', () => {
  it('are read from a form as they were written by it', () => {
    const choices = [
      { by: 'brand', text: 'Uji "Gold" \\ Co' },
      { by: 'department', text: 'Tea' },
      { by: 'aisle', text: 'Green tea' },
      { by: 'tag', text: 'organic' },
      { by: 'ids', text: 'tin-7, café crème' },
      { by: 'select', text: 'price < 20 and brand = "Uji"' },
      { by: 'all', text: '' },
    ] as const;
    for (const choice of choices) expect(choiceOf(productsOf(choice))).toEqual(choice);
    expect(productsOf({ by: 'brand', text: 'Uji "Gold"' })).toEqual({
      select: 'brand = "Uji \\"Gold\\""',
    });
    expect(productsOf({ by: 'ids', text: ' a, b,, ' })).toEqual({ ids: ['a', 'b'] });
  });
});

describe('sentences', () => {
  it('say what a rule does, where and when', () => {
    expect(
      sentence(
        rule({
          products: { select: 'brand = "Uji"' },
          action: { kind: 'boost', factor: 1.5 },
          scope: { placements: ['product'], until: '2026-12-05' },
        }),
      ),
    ).toBe('Boost products of the brand “Uji” by 1.5 on product, until 5 December 2026.');
    expect(
      sentence(
        rule({
          products: { ids: ['tin-7'] },
          action: { kind: 'pin', place: 2 },
          scope: { placements: ['home', 'mail', 'cart'], weekdays: ['saturday', 'sunday'] },
        }),
      ),
    ).toBe('Put the product tin-7 at place 2 on home, mail and cart on Saturdays and Sundays.');
    const names: Record<string, string> = { 'tin-7': 'Sencha' };
    const products = { ids: ['tin-7', 'pot', 'cup', 'bowl'] };
    expect(sentence(rule({ products }), (id) => names[id] ?? id)).toBe(
      'Never show the products Sencha, pot, cup and 1 more.',
    );
    expect(sentence(rule({ action: { kind: 'at_most', count: 2, per: 'brand' } }))).toBe(
      'Show at most 2 of each brand.',
    );
    expect(
      sentence(
        rule({
          products: { select: 'aisle = "Filters"' },
          action: { kind: 'only_with', cart: { select: 'aisle = "Coffee"' } },
        }),
      ),
    ).toBe(
      'Show products of the aisle “Filters” only with products of the aisle “Coffee” in the cart.',
    );
  });

  it('say where a rule is in its schedule; its first and last day belong to it', () => {
    const at = (today: string, active = true) =>
      schedule({ active, scope: { from: '2026-12-01', until: '2026-12-24' } }, today);
    expect(at('2026-11-30')).toEqual({ phase: 'coming', text: 'Starts on 1 December 2026' });
    expect(at('2026-12-01').phase).toBe('active');
    expect(at('2026-12-24').text).toBe('Active until 24 December 2026');
    expect(at('2026-12-25').phase).toBe('ended');
    expect(at('2026-12-02', false).phase).toBe('off');
    expect(schedule({}, '2026-12-02')).toEqual({ phase: 'active', text: 'Active' });
  });
});

describe('the form of a rule', () => {
  it('keeps every kind of action', () => {
    const products = { select: 'department = "Tea"' };
    const actions: Rule['action'][] = [
      { kind: 'pin', place: 3 },
      { kind: 'boost', factor: 1.5 },
      { kind: 'bury', factor: 4 },
      { kind: 'block' },
      { kind: 'at_most', count: 2, per: 'brand' },
      { kind: 'at_least', count: 1 },
      { kind: 'only_with', cart: { ids: ['pot'] } },
      { kind: 'never_with', cart: { select: 'brand = "Ito"' } },
    ];
    for (const action of actions) {
      const stored: Rule = {
        id: 'tea',
        name: 'Tea',
        active: false,
        priority: 7,
        products,
        action,
        scope: { placements: ['home'], weekdays: ['monday'], segment: 'user.orders > 3' },
      };
      expect(ruleOf(draftOf(stored), 'tea')).toEqual(stored);
    }
  });

  it('gives a new rule an id of its own', () => {
    expect(newRuleId('Tee für Weihnachten!', [])).toBe('tee-fur-weihnachten');
    expect(newRuleId('Tea', ['tea', 'tea-2'])).toBe('tea-3');
    expect(newRuleId('undo', [])).toBe('undo-2');
    expect(newRuleId('茶', [])).toBe('rule');
  });

  it('finds the field of a problem', () => {
    const at = (field: string) => fieldOf({ field } as Parameters<typeof fieldOf>[0]);
    expect(at('action.factor')).toBe('amount');
    expect(at('action.cart.select')).toBe('cart');
    expect(at('products.select')).toBe('products');
    expect(at('scope.segment')).toBe('segment');
    expect(at('body')).toBe(null);
    expect(fieldOf(null)).toBe(null);
  });
});
