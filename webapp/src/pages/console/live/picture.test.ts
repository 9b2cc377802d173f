import { expect, test } from 'vitest';
import type { Live } from '../../../lib/types';
import { NARROW, WIDE, pace, pictureOf } from './picture';

const quiet: Live = {
  now_ms: 100_000,
  ready: true,
  model_version: 'm-1',
  products: 10,
  users: 1,
  seconds: [],
  events_total: 0,
  degraded_total: 0,
  impressions_dropped_total: 0,
  shards: 1,
  delivery: { waiting: 0, files: 0 },
  sessions: { waiting: 0 },
  events: [],
};

const second = { at_ms: 0, requests: 10, errors: 0, events: 4, recommendations: 5 };

test('without traffic nothing flows and nothing is wrong', () => {
  const { flows, parts, troubles } = pictureOf(quiet);
  expect(flows.every((flow) => flow.rate === 0)).toBe(true);
  expect(parts.some((part) => part.trouble)).toBe(false);
  expect(troubles).toEqual([]);
});

test('rates are means of the last five seconds', () => {
  const seconds = [...Array.from({ length: 50 }, () => ({ ...second, requests: 999 }))];
  seconds.push(...Array.from({ length: 5 }, () => second));
  const { flows } = pictureOf({ ...quiet, seconds });
  expect(flows.find(({ from }) => from === 'web')?.rate).toBe(10);
});

test('each trouble is said in words and marked on its part', () => {
  const { parts, troubles } = pictureOf({
    ...quiet,
    ready: false,
    seconds: [{ ...second, errors: 1 }],
    degraded_total: 2,
    impressions_dropped_total: 3,
    delivery: { waiting: 5, files: 0, error: 'disk full' },
  });
  expect(troubles).toHaveLength(5);
  expect(troubles[2]?.text).toContain('disk full');
  expect(troubles.map(({ past }) => past)).toEqual([false, false, false, true, true]);
  expect(parts.filter((part) => part.trouble).map(({ id }) => id)).toEqual(['api', 'delivery']);
});

test('every flow has a way on both sheets', () => {
  for (const sheet of [WIDE, NARROW]) {
    for (const { from, to } of pictureOf(quiet).flows) {
      expect(sheet.paths[`${from}-${to}`]).toBeDefined();
    }
  }
});

test('more traffic is faster', () => {
  expect([0, 0.2, 5, 50, 5000].map(pace)).toEqual([0, 1, 2, 3, 4]);
});
