import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { COLLECT_MS, Seen } from './seen';

describe('what was seen', () => {
  const sent: [string, string[]][][] = [];
  let reachable = true;

  function seen(): Seen {
    return new Seen((products) => {
      if (!reachable) return Promise.reject(new Error('offline'));
      sent.push([...products].map(([id, list]) => [id, [...list]]));
      return Promise.resolve();
    });
  }

  beforeEach(() => {
    vi.useFakeTimers();
    sent.length = 0;
    reachable = true;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is reported together, each product of an answer once', async () => {
    const reports = seen();
    reports.note('r1', 'a');
    reports.note('r1', 'b');
    reports.note('r1', 'a');
    reports.note('r2', 'a');
    reports.note('', 'a');
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(COLLECT_MS);
    expect(sent).toEqual([
      [
        ['r1', ['a', 'b']],
        ['r2', ['a']],
      ],
    ]);
    reports.note('r1', 'b');
    await vi.advanceTimersByTimeAsync(COLLECT_MS);
    expect(sent).toHaveLength(1);
  });

  it('is kept while the server cannot be reached', async () => {
    const reports = seen();
    reachable = false;
    reports.note('r1', 'a');
    await vi.advanceTimersByTimeAsync(COLLECT_MS);
    reachable = true;
    reports.note('r1', 'b');
    await vi.advanceTimersByTimeAsync(COLLECT_MS);
    expect(sent).toEqual([[['r1', ['a', 'b']]]]);
  });

  it('is bounded', async () => {
    const reports = seen();
    for (let answer = 0; answer < 80; answer += 1) reports.note(`r${answer}`, 'a');
    reports.stop();
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.[0]).toEqual(['r30', ['a']]);
    expect(sent[0]).toHaveLength(50);
  });
});
