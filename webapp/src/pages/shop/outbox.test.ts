import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../lib/api-error';
import type { EventBody, SubmitAnswer } from '../../lib/types';
import { MAX_EVENTS, Outbox } from './outbox.svelte';

const ANSWER: SubmitAnswer = {
  message: '',
  event_id: '',
  recommendation_id: 'r',
  model_version: 'm',
  degraded: false,
  recommendations: [],
};
const LOST = new ApiError('network', 'lost');
const BUSY = new ApiError('refused', 'busy', 503, null, 7);
const BAD = new ApiError('refused', 'bad', 422);
const NO_KEY = new ApiError('refused', 'no key', 401);

function event(id: string): EventBody {
  return { event_id: id, user_id: 'u', event: 'view', product_ids: ['p'] };
}

class Memory implements Storage {
  readonly #map = new Map<string, string>();
  get length(): number {
    return this.#map.size;
  }
  clear(): void {
    this.#map.clear();
  }
  getItem(name: string): string | null {
    return this.#map.get(name) ?? null;
  }
  key(): string | null {
    return null;
  }
  removeItem(name: string): void {
    this.#map.delete(name);
  }
  setItem(name: string, value: string): void {
    this.#map.set(name, value);
  }
}

/** An outbox whose attempts end with `results`, in order; later attempts succeed. */
function outbox(results: (ApiError | null)[] = [], store: Storage | null = null) {
  const reports: string[] = [];
  const sent: string[] = [];
  const box = new Outbox(
    {
      send: async (body) => {
        sent.push(body.event_id);
        const error = results.shift();
        if (error) throw error;
        return ANSWER;
      },
      onAccepted: (body) => reports.push(`accepted ${body.event_id}`),
      onRefused: (body) => reports.push(`refused ${body.event_id}`),
      onPostponed: (body) => reports.push(`postponed ${body.event_id}`),
    },
    store,
  );
  return { box, reports, sent };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

describe('an outbox', () => {
  it('sends in order, one at a time', async () => {
    const { box, sent, reports } = outbox();
    ['a', 'b', 'c'].forEach((id) => box.put(event(id)));
    expect(sent).toEqual(['a']);
    await settle();
    expect(sent).toEqual(['a', 'b', 'c']);
    expect(reports).toEqual(['accepted a', 'accepted b', 'accepted c']);
    expect(box.queue).toEqual([]);
  });

  it('keeps an event that does not get through, and retries it with growing waits', async () => {
    const { box, sent, reports } = outbox([LOST, LOST, null]);
    box.put(event('a'));
    await settle();
    box.put(event('b'));
    expect([sent, box.queue.length, box.failure]).toEqual([['a'], 2, LOST]);
    await settle(999);
    expect(sent).toEqual(['a']);
    await settle(1);
    expect(sent).toEqual(['a', 'a']);
    await settle(1_999);
    expect(sent).toEqual(['a', 'a']);
    await settle(1);
    expect(sent).toEqual(['a', 'a', 'a', 'b']);
    expect(reports).toEqual(['postponed a', 'postponed a', 'accepted a', 'accepted b']);
    expect([box.queue.length, box.failure]).toEqual([0, null]);
  });

  it('waits as long as the server asks, or until it is flushed', async () => {
    const { box, sent } = outbox([BUSY, BUSY]);
    box.put(event('a'));
    await settle(6_999);
    expect(sent.length).toBe(1);
    await settle(1);
    expect(sent.length).toBe(2);
    await box.flush();
    expect(sent.length).toBe(3);
    await settle(60_000);
    expect(sent.length).toBe(3);
  });

  it('drops a refused event and goes on', async () => {
    const { box, reports } = outbox([BAD]);
    box.put(event('a'));
    box.put(event('b'));
    await settle();
    expect(reports).toEqual(['refused a', 'accepted b']);
    expect(box.failure).toBeNull();
  });

  it('does not retry without an API key until it is flushed', async () => {
    const { box, sent } = outbox([NO_KEY]);
    box.put(event('a'));
    await settle(600_000);
    expect([sent, box.queue.length]).toEqual([['a'], 1]);
    await box.flush();
    expect(box.queue.length).toBe(0);
  });

  it('keeps its events across pages', async () => {
    const store = new Memory();
    const before = outbox([LOST], store);
    before.box.put(event('a'));
    before.box.put(event('b'));
    await settle();
    const after = outbox([], store);
    await after.box.flush();
    expect(after.sent).toEqual(['a', 'b']);
    expect(outbox([], store).box.queue).toEqual([]);
    store.setItem('cartwheel.outbox.v1', '[{"event_id":1},null,"x"]');
    expect(outbox([], store).box.queue).toEqual([]);
    store.setItem('cartwheel.outbox.v1', 'not JSON');
    expect(outbox([], store).box.queue).toEqual([]);
  });

  it('does not touch the events of another tab', async () => {
    const store = new Memory();
    const one = outbox([LOST], store);
    const other = outbox([LOST], store);
    one.box.put(event('a'));
    other.box.put(event('b'));
    await settle();
    expect(outbox([], store).box.queue.map(({ event_id }) => event_id)).toEqual(['a', 'b']);
    await one.box.flush();
    expect(outbox([], store).box.queue.map(({ event_id }) => event_id)).toEqual(['b']);
  });

  it('neither sends nor reports after a stop, and keeps waiting events', async () => {
    const store = new Memory();
    const { box, sent, reports } = outbox([LOST], store);
    box.put(event('a'));
    box.put(event('b'));
    await settle();
    box.stop();
    await settle(60_000);
    expect([sent, reports]).toEqual([['a'], ['postponed a']]);
    expect(outbox([], store).box.queue.length).toBe(2);
  });

  it('removes an event that is accepted after a stop', async () => {
    const store = new Memory();
    const { box, reports, sent } = outbox([], store);
    box.put(event('a'));
    box.put(event('b'));
    box.stop();
    await settle();
    expect([sent, reports]).toEqual([['a'], []]);
    expect(outbox([], store).box.queue.map(({ event_id }) => event_id)).toEqual(['b']);
  });

  it('ignores stored values that are not events', () => {
    const store = new Memory();
    const good = event('a');
    const bad = [
      { ...good, items: 7 },
      { ...good, event: 'dance' },
      { ...good, items: [null] },
    ];
    store.setItem('cartwheel.outbox.v1', JSON.stringify([...bad, good]));
    expect(outbox([], store).box.queue).toEqual([good]);
  });

  it('is bounded', async () => {
    const { box } = outbox(Array.from({ length: 5 }, () => LOST));
    const taken = Array.from({ length: MAX_EVENTS + 1 }, (_, at) => box.put(event(`e${at}`)));
    await settle();
    expect(taken.filter(Boolean).length).toBe(MAX_EVENTS);
    expect(box.queue.length).toBe(MAX_EVENTS);
  });
});
