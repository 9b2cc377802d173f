/** The loop as a picture: what each part says, what flows, where it stands. Pure. */
import { duration } from '../../../lib/duration';
import { count } from '../../../lib/format';
import type { Live, Percentiles } from '../../../lib/types';

export type PartId =
  'web' | 'api' | 'stream' | 'sessions' | 'delivery' | 'lake' | 'features' | 'training' | 'model';

export interface Part {
  id: PartId;
  title: string;
  /** At most three short lines. */
  lines: string[];
  trouble: boolean;
}

export interface Trouble {
  /** A sentence. */
  text: string;
  /** Whether it may be over. */
  past: boolean;
}

export interface Flow {
  from: PartId;
  to: PartId;
  /** How much passes, each second. */
  rate: number;
}

export interface Picture {
  parts: Part[];
  flows: Flow[];
  troubles: Trouble[];
}

/** Rates are means of so many seconds, so that they can be read. */
const OVER = 5;

export function rate(live: Live, of: 'requests' | 'errors' | 'events' | 'recommendations'): number {
  const last = live.seconds.slice(-OVER);
  return last.length === 0 ? 0 : last.reduce((sum, second) => sum + second[of], 0) / last.length;
}

export function perSecond(value: number): string {
  const digits = value > 0 && value < 9.95 ? 1 : 0;
  return `${value.toLocaleString('en', { maximumFractionDigits: digits })}/s`;
}

export function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en')} ms`;
}

function spread(of: Percentiles | null | undefined): string {
  return of ? `p50 ${milliseconds(of.p50)} · p99 ${milliseconds(of.p99)}` : 'no request yet';
}

export function pictureOf(live: Live): Picture {
  const { delivery, run } = live;
  const [requests, events, answers] = [
    rate(live, 'requests'),
    rate(live, 'events'),
    rate(live, 'recommendations'),
  ];
  const errors = live.seconds.reduce((sum, second) => sum + second.errors, 0);
  const part = (id: PartId, title: string, lines: string[], trouble = false): Part => ({
    id,
    title,
    lines,
    trouble,
  });
  const late = delivery.oldest_ms ?? null;
  const writes = delivery.last_ms != null && live.now_ms - delivery.last_ms < 60_000;
  return {
    parts: [
      part('web', 'Web app', [`${perSecond(answers)} answers`, `${perSecond(events)} events`]),
      part(
        'api',
        'API',
        [
          `${perSecond(requests)} requests`,
          spread(live.submit_ms),
          live.ready ? `${perSecond(rate(live, 'errors'))} errors` : 'not ready',
        ],
        !live.ready || errors > 0,
      ),
      part('stream', 'Stream', [
        count(live.shards, 'shard'),
        live.sync_ms ? `sync ${spread(live.sync_ms)}` : 'nothing synced yet',
      ]),
      part('sessions', 'Sessions', [`${count(live.sessions.waiting, 'event')} waiting`]),
      part(
        'delivery',
        'Delivery',
        [
          `${count(delivery.waiting, 'event')} waiting`,
          delivery.error ? 'last try failed' : late === null ? '' : `oldest ${duration(late)}`,
        ],
        Boolean(delivery.error),
      ),
      part('lake', 'Lake', [
        `${count(delivery.files, 'file')} written`,
        delivery.last_ms == null ? '' : `last ${duration(live.now_ms - delivery.last_ms)} ago`,
      ]),
      part('features', 'Features', [count(live.products, 'product'), count(live.users, 'user')]),
      part('training', 'Training', run ? ['Running', run.current.join(', ')] : ['no run']),
      part('model', 'Model', [
        live.model_version ?? 'none serves',
        `${perSecond(answers)} answers`,
      ]),
    ],
    flows: [
      { from: 'web', to: 'api', rate: requests },
      { from: 'api', to: 'stream', rate: events },
      { from: 'stream', to: 'sessions', rate: events },
      { from: 'sessions', to: 'api', rate: events },
      { from: 'stream', to: 'delivery', rate: events },
      { from: 'delivery', to: 'lake', rate: writes ? Math.max(events, 0.2) : 0 },
      { from: 'lake', to: 'features', rate: run ? 1 : 0 },
      { from: 'features', to: 'training', rate: run ? 1 : 0 },
      { from: 'training', to: 'model', rate: run ? 1 : 0 },
      { from: 'model', to: 'api', rate: live.model_version ? answers : 0 },
    ],
    troubles: troubles(live, errors),
  };
}

function troubles(live: Live, errors: number): Trouble[] {
  const { delivery, degraded_total: degraded, impressions_dropped_total: dropped } = live;
  const now = [
    !live.ready && 'The server is not ready to recommend.',
    errors > 0 && `${count(errors, 'answer')} with a status of 500 or more in the last minute.`,
    delivery.error && `The last delivery to the lake failed: ${delivery.error}`,
  ];
  const past = [
    degraded > 0 && `${count(degraded, 'degraded answer')} since the server started.`,
    dropped > 0 && `${count(dropped, 'impression')} dropped since the server started.`,
  ];
  return [now, past].flatMap((sentences, at) =>
    sentences
      .filter((sentence) => typeof sentence === 'string')
      .map((text) => ({ text, past: at === 1 })),
  );
}

/** How fast a flow moves: 0 stands still. */
export function pace(flow: number): 0 | 1 | 2 | 3 | 4 {
  if (flow <= 0) return 0;
  if (flow < 2) return 1;
  if (flow < 20) return 2;
  return flow < 200 ? 3 : 4;
}

export interface Place {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Sheet {
  width: number;
  height: number;
  places: Record<PartId, Place>;
  /** By `from-to`. */
  paths: Record<string, string>;
}

function box(x: number, y: number, width: number, height = 88): Place {
  return { x, y, width, height };
}

export const WIDE: Sheet = {
  width: 1120,
  height: 384,
  places: {
    web: box(4, 8, 168),
    api: box(222, 8, 212),
    stream: box(484, 8, 224),
    delivery: box(758, 8, 150),
    lake: box(958, 8, 158),
    sessions: box(484, 142, 224, 64),
    model: box(222, 288, 212),
    training: box(534, 288, 224),
    features: box(958, 288, 158),
  },
  paths: {
    'web-api': 'M172 52H218',
    'api-stream': 'M434 52H480',
    'stream-delivery': 'M708 52H754',
    'delivery-lake': 'M908 52H954',
    'stream-sessions': 'M596 96V138',
    'sessions-api': 'M484 174H388Q372 174 372 158V100',
    'lake-features': 'M1037 96V284',
    'features-training': 'M958 332H762',
    'training-model': 'M534 332H438',
    'model-api': 'M284 288V100',
  },
};

export const NARROW: Sheet = {
  width: 340,
  height: 912,
  places: {
    web: box(30, 4, 208),
    api: box(30, 120, 208),
    stream: box(30, 236, 208),
    sessions: box(250, 176, 88, 92),
    delivery: box(30, 352, 208),
    lake: box(30, 468, 208),
    features: box(30, 584, 208),
    training: box(30, 700, 208),
    model: box(30, 816, 208),
  },
  paths: {
    'web-api': 'M130 92V116',
    'api-stream': 'M130 208V232',
    'stream-sessions': 'M238 296H278Q294 296 294 280V272',
    'sessions-api': 'M294 176V166Q294 150 278 150H242',
    'stream-delivery': 'M130 324V348',
    'delivery-lake': 'M130 440V464',
    'lake-features': 'M130 556V580',
    'features-training': 'M130 672V696',
    'training-model': 'M130 788V812',
    'model-api': 'M30 860H24Q10 860 10 846V178Q10 164 24 164H26',
  },
};
