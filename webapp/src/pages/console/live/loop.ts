/** The loop of the system: its parts, the flows between them and its problems. Pure. */
import { duration, milliseconds } from '../../../lib/time';
import { count } from '../../../lib/format';
import type { Live, Percentiles, RunSummary } from '../../../lib/types';

export type PartId =
  'web' | 'api' | 'stream' | 'sessions' | 'delivery' | 'lake' | 'features' | 'training' | 'model';

export interface Part {
  id: PartId;
  title: string;
  /** At most three short lines. */
  lines: string[];
  hasProblem: boolean;
}

export interface Problem {
  /** A sentence. */
  text: string;
  /** Whether the problem happened at some time since the start, so it may be over. */
  past: boolean;
  /** The page that shows why. */
  href?: string;
}

export interface Flow {
  from: PartId;
  to: PartId;
  /** Items per second. */
  rate: number;
}

export interface Loop {
  parts: Part[];
  flows: Flow[];
  problems: Problem[];
}

/** Seconds over which rates are averaged, so that they are steady enough to read. */
const RATE_SECONDS = 5;

function meanRate(live: Live, name: 'requests' | 'errors' | 'events' | 'recommendations'): number {
  const last = live.seconds.slice(-RATE_SECONDS);
  return last.length === 0 ? 0 : last.reduce((sum, second) => sum + second[name], 0) / last.length;
}

function perSecond(value: number): string {
  const digits = value > 0 && value < 9.95 ? 1 : 0;
  return `${value.toLocaleString('en', { maximumFractionDigits: digits })}/s`;
}

function latency(percentiles: Percentiles | null | undefined): string {
  if (!percentiles) return 'no requests yet';
  return `p50 ${milliseconds(percentiles.p50)} · p99 ${milliseconds(percentiles.p99)}`;
}

/** Why a run failed or was not finished; null for a run that succeeded, or runs. */
function failureOf(run: RunSummary | null): string | null {
  if (!run || run.status === 'RUNNING' || run.status === 'SUCCEEDED') return null;
  return run.status === 'ABORTED' ? 'was stopped' : 'failed';
}

/** `lastRun` is the newest run of the pipeline, if there is one. */
export function loopOf(live: Live, lastRun: RunSummary | null = null): Loop {
  const { delivery, run } = live;
  const [requests, events, responses] = [
    meanRate(live, 'requests'),
    meanRate(live, 'events'),
    meanRate(live, 'recommendations'),
  ];
  const errors = live.seconds.reduce((sum, second) => sum + second.errors, 0);
  const part = (id: PartId, title: string, lines: string[], hasProblem = false): Part => ({
    id,
    title,
    lines,
    hasProblem,
  });
  const oldestMs = delivery.oldest_ms ?? null;
  const delivering = delivery.last_ms != null && live.now_ms - delivery.last_ms < 60_000;
  return {
    parts: [
      part('web', 'Web app', [`${perSecond(responses)} responses`, `${perSecond(events)} events`]),
      part(
        'api',
        'API',
        [
          `${perSecond(requests)} requests`,
          latency(live.submit_ms),
          live.ready ? `${perSecond(meanRate(live, 'errors'))} errors` : 'not ready',
        ],
        !live.ready || errors > 0,
      ),
      part('stream', 'Stream', [
        count(live.shards, 'shard'),
        live.sync_ms ? `sync ${latency(live.sync_ms)}` : 'nothing synced yet',
      ]),
      part('sessions', 'Sessions', [`${count(live.sessions.waiting, 'event')} waiting`]),
      part(
        'delivery',
        'Delivery',
        [
          `${count(delivery.waiting, 'event')} waiting`,
          delivery.error
            ? 'last attempt failed'
            : oldestMs === null
              ? ''
              : `oldest ${duration(oldestMs)}`,
        ],
        Boolean(delivery.error),
      ),
      part('lake', 'Lake', [
        `${count(delivery.files, 'file')} written`,
        delivery.last_ms == null ? '' : `last ${duration(live.now_ms - delivery.last_ms)} ago`,
      ]),
      part('features', 'Features', [count(live.products, 'product'), count(live.users, 'user')]),
      part(
        'training',
        'Training',
        run
          ? ['running', run.current.join(', ')]
          : lastRun
            ? [
                `last run ${failureOf(lastRun) ?? 'succeeded'}`,
                lastRun.stopped_ms == null
                  ? ''
                  : `${duration(live.now_ms - lastRun.stopped_ms)} ago`,
              ]
            : ['no run yet'],
        !run && failureOf(lastRun) === 'failed',
      ),
      part('model', 'Model', [
        live.model_version ?? 'no model yet',
        `${perSecond(responses)} responses`,
      ]),
    ],
    flows: [
      { from: 'web', to: 'api', rate: requests },
      { from: 'api', to: 'stream', rate: events },
      { from: 'stream', to: 'sessions', rate: events },
      { from: 'sessions', to: 'api', rate: events },
      { from: 'stream', to: 'delivery', rate: events },
      { from: 'delivery', to: 'lake', rate: delivering ? Math.max(events, 0.2) : 0 },
      { from: 'lake', to: 'features', rate: run ? 1 : 0 },
      { from: 'features', to: 'training', rate: run ? 1 : 0 },
      { from: 'training', to: 'model', rate: run ? 1 : 0 },
      { from: 'model', to: 'api', rate: live.model_version ? responses : 0 },
    ],
    problems: problemsOf(live, errors, run ? null : lastRun),
  };
}

function problemsOf(live: Live, errors: number, lastRun: RunSummary | null): Problem[] {
  const { delivery, degraded_total: degraded, impressions_dropped_total: dropped } = live;
  const present = [
    !live.ready && 'The server is not ready to recommend products.',
    errors > 0 && `${count(errors, 'response')} with status 500 or higher in the last minute.`,
    delivery.error && `The last delivery to the lake failed: ${delivery.error}`,
  ];
  const failed = failureOf(lastRun) === 'failed' ? (lastRun?.name ?? null) : null;
  const past = [
    degraded > 0 && `${count(degraded, 'degraded response')} since the server started.`,
    dropped > 0 && `${count(dropped, 'impression')} dropped since the server started.`,
  ];
  const said = (sentences: readonly unknown[], over: boolean): Problem[] =>
    sentences
      .filter((sentence) => typeof sentence === 'string')
      .map((text) => ({ text, past: over }));
  return [
    ...said(present, false),
    ...(failed === null
      ? []
      : [
          {
            text: `The last run of the pipeline failed: ${failed}.`,
            past: false,
            href: `/console/pipeline/${failed}`,
          },
        ]),
    ...said(past, true),
  ];
}
