import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../lib/api';
import type { EventBody, SubmitAnswer } from '../../lib/types';
import { MAX_KEPT, Outbox } from './outbox.svelte';

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

/** An outbox whose sends come to `results`, one after the other; then they succeed. */
function outbox(results: (ApiError | null)[] = [], store: Storage | null = null) {
  const said: string[] = [];
  const sent: string[] = [];
  const box = new Outbox(
    {
      send: async (body) => {
        sent.push(body.event_id);
        const error = results.shift();
        if (error) throw error;
        return ANSWER;
      },
      answered: (body) => said.push(`answered ${body.event_id}`),
      refused: (body) => said.push(`refused ${body.event_id}`),
      kept: (body) => said.push(`kept ${body.event_id}`),
    },
    store,
  );
  return { box, said, sent };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

describe('an outbox', () => {
  it('sends in order, one at a time', async () => {
    const { box, sent, said } = outbox();
    ['a', 'b', 'c'].forEach((id) => box.put(event(id)));
    expect(sent).toEqual(['a']);
    await settle();
    expect(sent).toEqual(['a', 'b', 'c']);
    expect(said).toEqual(['answered a', 'answered b', 'answered c']);
    expect(box.queue).toEqual([]);
  });

  it('keeps what does not get through, and sends the same event again, later and later', async () => {
    const { box, sent, said } = outbox([LOST, LOST, null]);
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
    expect(said).toEqual(['kept a', 'kept a', 'answered a', 'answered b']);
    expect([box.queue.length, box.failure]).toEqual([0, null]);
  });

  it('waits as long as the server asks for, or until it is told to send', async () => {
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

  it('drops what will never be taken, and goes on', async () => {
    const { box, said } = outbox([BAD]);
    box.put(event('a'));
    box.put(event('b'));
    await settle();
    expect(said).toEqual(['refused a', 'answered b']);
    expect(box.failure).toBeNull();
  });

  it('waits for a key, however long that takes', async () => {
    const { box, sent } = outbox([NO_KEY]);
    box.put(event('a'));
    await settle(600_000);
    expect([sent, box.queue.length]).toEqual([['a'], 1]);
    await box.flush();
    expect(box.queue.length).toBe(0);
  });

  it('outlives its page', async () => {
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
    store.setItem('cartwheel.outbox.v1', 'no JSON');
    expect(outbox([], store).box.queue).toEqual([]);
  });

  it('leaves alone what another tab keeps', async () => {
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

  it('falls silent once it is stopped, and keeps what waits', async () => {
    const store = new Memory();
    const { box, sent, said } = outbox([LOST], store);
    box.put(event('a'));
    box.put(event('b'));
    await settle();
    box.stop();
    await settle(60_000);
    expect([sent, said]).toEqual([['a'], ['kept a']]);
    expect(outbox([], store).box.queue.length).toBe(2);
  });

  it('forgets what arrives after it was stopped', async () => {
    const store = new Memory();
    const { box, said, sent } = outbox([], store);
    box.put(event('a'));
    box.put(event('b'));
    box.stop();
    await settle();
    expect([sent, said]).toEqual([['a'], []]);
    expect(outbox([], store).box.queue.map(({ event_id }) => event_id)).toEqual(['b']);
  });

  it('reads nothing that is no event', () => {
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
    const taken = Array.from({ length: MAX_KEPT + 1 }, (_, at) => box.put(event(`e${at}`)));
    await settle();
    expect(taken.filter(Boolean).length).toBe(MAX_KEPT);
    expect(box.queue.length).toBe(MAX_KEPT);
  });
});
