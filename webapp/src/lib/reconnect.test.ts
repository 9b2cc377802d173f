import { expect, test } from 'vitest';
import { keepOpen } from './reconnect';

test('the wait doubles with each failure, and a stream that ran resets it', async () => {
  const waits: number[] = [];
  const outcomes = ['fail', 'fail', 'fail', 'ended', 'fail', 'done'];
  const open = async (): Promise<boolean> => {
    const outcome = outcomes.shift();
    if (outcome === 'fail') throw new Error(outcome);
    return outcome === 'ended';
  };
  const wait = async (ms: number): Promise<void> => void waits.push(ms);
  await keepOpen(open, () => true, new AbortController().signal, wait);
  expect(waits).toEqual([1000, 2000, 4000, 1000, 1000]);
});

test('it ends on a final failure and when it is aborted', async () => {
  let opened = 0;
  const open = async (): Promise<boolean> => {
    opened += 1;
    throw new Error();
  };
  await keepOpen(open, () => false, new AbortController().signal);
  await keepOpen(open, () => true, AbortSignal.abort());
  expect(opened).toBe(1);
});
