import { expect, test } from 'vitest';
import type { Live } from '../../../lib/types';
import { loopOf } from './loop';
import { NARROW, speedOf, WIDE } from './loop-layout';

const idle: Live = {
  now_ms: 100_000,
  ready: true,
  model_version: 'm-1',
  products: 10,
  users: 1,
  seconds: [],
  minutes: [],
  events_total: 0,
  degraded_total: 0,
  impressions_dropped_total: 0,
  shards: 1,
  delivery: { waiting: 0, files: 0 },
  sessions: { waiting: 0 },
  events: [],
};

const second = { at_ms: 0, requests: 10, errors: 0, events: 4, recommendations: 5 };

test('without traffic there are no flows and no problems', () => {
  const { flows, parts, problems } = loopOf(idle);
  expect(flows.every((flow) => flow.rate === 0)).toBe(true);
  expect(parts.some((part) => part.hasProblem)).toBe(false);
  expect(problems).toEqual([]);
});

test('rates are means of the last five seconds', () => {
  const seconds = [...Array.from({ length: 50 }, () => ({ ...second, requests: 999 }))];
  seconds.push(...Array.from({ length: 5 }, () => second));
  const { flows } = loopOf({ ...idle, seconds });
  expect(flows.find(({ from }) => from === 'web')?.rate).toBe(10);
});

test('each problem has a sentence and marks its part', () => {
  const { parts, problems } = loopOf({
    ...idle,
    ready: false,
    seconds: [{ ...second, errors: 1 }],
    degraded_total: 2,
    impressions_dropped_total: 3,
    delivery: { waiting: 5, files: 0, error: 'disk full' },
  });
  expect(problems).toHaveLength(5);
  expect(problems[2]?.text).toContain('disk full');
  expect(problems.map(({ past }) => past)).toEqual([false, false, false, true, true]);
  expect(parts.filter((part) => part.hasProblem).map(({ id }) => id)).toEqual(['api', 'delivery']);
});

test('every flow has a path in both layouts', () => {
  for (const layout of [WIDE, NARROW]) {
    for (const { from, to } of loopOf(idle).flows) {
      expect(layout.paths[`${from}-${to}`]).toBeDefined();
    }
  }
});

test('more traffic moves faster', () => {
  expect([0, 0.2, 5, 50, 5000].map(speedOf)).toEqual([0, 1, 2, 3, 4]);
});

test('a run that failed is a problem until the next run begins', () => {
  const failed = {
    name: 'nightly',
    machine: 'pipeline',
    status: 'FAILED',
    started_ms: 10_000,
    stopped_ms: 40_000,
    current: [],
  };
  const training = (live: Live, run: typeof failed | null): string[] | undefined =>
    loopOf(live, run).parts.find(({ id }) => id === 'training')?.lines;
  expect(training(idle, null)).toEqual(['no run yet']);
  expect(training(idle, failed)).toEqual(['last run failed', '1 min 0 s ago']);
  expect(training(idle, { ...failed, status: 'SUCCEEDED' })?.[0]).toBe('last run succeeded');
  expect(loopOf(idle, failed).problems[0]?.text).toMatch(/run of the pipeline failed: nightly/);
  expect(loopOf(idle, failed).problems[0]?.href).toBe('/console/pipeline/nightly');
  const next = { ...idle, run: { name: 'next', current: ['Train'] } };
  expect(loopOf(next, failed).problems).toEqual([]);
});
