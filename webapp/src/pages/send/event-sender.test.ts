import { describe, expect, it } from 'vitest';
import { Api } from '../../lib/api';
import { EventSender, MAX_LOG } from './event-sender.svelte';
import type { EventBody } from '../../lib/types';

/** A sender whose server recommends `lists`, one per response; null loses the connection. */
function open(...lists: (string[] | null)[]): { sender: EventSender; bodies: EventBody[] } {
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
  const sender = new EventSender(api, null);
  sender.userText = ' 7 ';
  return { sender, bodies };
}

describe('an event sender', () => {
  it('sends events, compares the lists and follows the cart', async () => {
    const { sender, bodies } = open(['a', 'b'], ['b', 'c']);
    expect(await sender.send('get_recommendations')).toBe(true);
    expect(sender.response?.changes).toBeNull();
    expect(await sender.send('add_to_cart', ['a'])).toBe(true);
    expect(sender.response?.changes).toMatchObject({ added: 1, moved: 1, dropped: ['Product a'] });
    expect(sender.cart).toEqual([{ product_id: 'a', quantity: 1 }]);
    expect(sender.labels.nameOf('a')).toBe('Product a');
    expect(bodies[1]).toMatchObject({ user_id: '7', event: 'add_to_cart', product_ids: ['a'] });
    expect(bodies[1]?.event_id).not.toBe(bodies[0]?.event_id);
  });

  it('does not compare the lists of two users', async () => {
    const { sender } = open(['a']);
    await sender.send('get_recommendations');
    sender.userText = '8';
    await sender.send('get_recommendations');
    expect(sender.response).toMatchObject({ userId: '8', changes: null });
  });

  it('retries the same event, even after the form has changed', async () => {
    const { sender, bodies } = open(null, ['a']);
    expect(await sender.send('add_to_cart', ['x'])).toBe(false);
    expect(sender.failed?.error.kind).toBe('network');
    expect(sender.cart).toEqual([]);
    sender.userText = 'someone else';
    expect(await sender.retry()).toBe(true);
    expect(bodies[1]).toEqual(bodies[0]);
    expect(sender.failed).toBeNull();
    sender.userText = '7';
    expect(sender.cart).toEqual([{ product_id: 'x', quantity: 1 }]);
  });

  it('sends nothing without a user, and only one event at a time', async () => {
    const { sender, bodies } = open(['a']);
    sender.userText = ' ';
    expect(await sender.send('checkout')).toBe(false);
    expect(sender.missingUserCount).toBe(1);
    sender.userText = '7';
    const both = [sender.send('checkout'), sender.send('checkout')];
    expect(await Promise.all(both)).toEqual([true, false]);
    expect(bodies).toHaveLength(1);
  });

  it('keeps a bounded log, newest first', async () => {
    const { sender, bodies } = open(['a']);
    for (let sent = 0; sent < MAX_LOG + 3; sent += 1) await sender.send('view', ['a']);
    expect(sender.log).toHaveLength(MAX_LOG);
    expect(sender.log[0]?.body.event_id).toBe(bodies.at(-1)?.event_id);
  });
});
