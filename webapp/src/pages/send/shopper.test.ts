import { describe, expect, it } from 'vitest';
import { Api } from '../../lib/api';
import { MAX_LOG, Shopper } from './shopper.svelte';
import type { EventBody } from '../../lib/types';

/** A server whose lists are `lists`, one for each answer; null loses the connection. */
function shop(...lists: (string[] | null)[]): { shopper: Shopper; bodies: EventBody[] } {
  const bodies: EventBody[] = [];
  const api = new Api('https://api.example', async (request) => {
    if (!request.url.endsWith('/submit')) return new Response('{"ready":true}');
    bodies.push((await request.json()) as EventBody);
    const list = lists.length > 1 ? lists.shift() : lists[0];
    if (!list) throw new TypeError('Failed to fetch');
    const recommendations = list.map((id) => ({
      product_id: id,
      product_name: `Product ${id}`,
      aisle: 'a',
      department: 'd',
      probability: 0.5,
      reasons: [],
    }));
    const answer = { event_id: bodies.at(-1)?.event_id, recommendations };
    return new Response(JSON.stringify(answer));
  });
  const shopper = new Shopper(api, null);
  shopper.userText = ' 7 ';
  return { shopper, bodies };
}

describe('a shopper', () => {
  it('sends, and sees what moved and what the cart holds', async () => {
    const { shopper, bodies } = shop(['a', 'b'], ['b', 'c']);
    expect(await shopper.act('get_recommendations')).toBe(true);
    expect(shopper.answered?.changes).toBeNull();
    expect(await shopper.act('add_to_cart', ['a'])).toBe(true);
    expect(shopper.answered?.changes).toMatchObject({ added: 1, moved: 1, left: ['Product a'] });
    expect(shopper.cart).toEqual([{ product_id: 'a', quantity: 1 }]);
    expect(shopper.nameOf('a')).toBe('Product a');
    expect(bodies[1]).toMatchObject({ user_id: '7', event: 'add_to_cart', product_ids: ['a'] });
    expect(bodies[1]?.event_id).not.toBe(bodies[0]?.event_id);
  });

  it('does not compare the lists of two users', async () => {
    const { shopper } = shop(['a']);
    await shopper.act('get_recommendations');
    shopper.userText = '8';
    await shopper.act('get_recommendations');
    expect(shopper.answered).toMatchObject({ userId: '8', changes: null });
  });

  it('retries the very same event, whatever the form says by then', async () => {
    const { shopper, bodies } = shop(null, ['a']);
    expect(await shopper.act('add_to_cart', ['x'])).toBe(false);
    expect(shopper.failed?.error.kind).toBe('network');
    expect(shopper.cart).toEqual([]);
    shopper.userText = 'someone else';
    expect(await shopper.retry()).toBe(true);
    expect(bodies[1]).toEqual(bodies[0]);
    expect(shopper.failed).toBeNull();
    shopper.userText = '7';
    expect(shopper.cart).toEqual([{ product_id: 'x', quantity: 1 }]);
  });

  it('sends nothing without a user, and one event at a time', async () => {
    const { shopper, bodies } = shop(['a']);
    shopper.userText = 'a b';
    expect(await shopper.act('checkout')).toBe(false);
    expect(shopper.userWanted).toBe(1);
    shopper.userText = '7';
    const both = [shopper.act('checkout'), shopper.act('checkout')];
    expect(await Promise.all(both)).toEqual([true, false]);
    expect(bodies).toHaveLength(1);
  });

  it('keeps a bounded log, newest first', async () => {
    const { shopper, bodies } = shop(['a']);
    for (let sent = 0; sent < MAX_LOG + 3; sent += 1) await shopper.act('view', ['a']);
    expect(shopper.log).toHaveLength(MAX_LOG);
    expect(shopper.log[0]?.body.event_id).toBe(bodies.at(-1)?.event_id);
  });
});
