import { expect, test } from 'vitest';
import type { LiveEvent } from '../../../lib/types';
import { kindName, stepsOf } from './stages';

const event: LiveEvent = {
  event_id: 'e',
  user_id: 'u',
  event: 'checkout',
  product_ids: [],
  received_at_ms: 0,
  stage: 'synced',
  sync_ms: 3.14,
};

test('a checkout waits for delivery and then for the next run', () => {
  expect(stepsOf(event).map(({ state, note }) => [state, note])).toEqual([
    ['done', 'yes'],
    ['done', '3.1 ms'],
    ['waiting', 'waiting'],
    ['waiting', 'next run'],
    ['waiting', 'next run'],
  ]);
  expect(stepsOf({ ...event, stage: 'in_model' }).every(({ state }) => state === 'done')).toBe(
    true,
  );
});

test('other kinds never become features', () => {
  const states = stepsOf({ ...event, event: 'view', stage: 'delivered' }).map(({ state }) => state);
  expect(states).toEqual(['done', 'done', 'done', 'unused', 'unused']);
});

test('event kinds have display names', () => {
  expect(kindName('add_to_cart')).toBe('Add to cart');
  expect(kindName('other')).toBe('other');
});
