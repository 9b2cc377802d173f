import { expect, test } from 'vitest';
import type { HistoryEntry } from '../../../lib/types';
import { stateByEntryId, statesOfRun, transition } from './history';

function entries(...rows: [type: string, ms: number, details?: object][]): HistoryEntry[] {
  return rows.map(([type, timestamp_ms, details = {}], at) => ({
    id: at + 1,
    previousEventId: at,
    timestamp_ms,
    type,
    details,
  }));
}

const running = entries(
  ['ExecutionStarted', 0],
  ['PassStateEntered', 0, { name: 'Settings', input: { a: 1 } }],
  ['PassStateExited', 1, { name: 'Settings', output: 2 }],
  ['TaskStateEntered', 1, { name: 'Train' }],
  ['TaskScheduled', 1],
  ['TaskFailed', 5, { error: 'Busy', cause: 'No machine.' }],
  ['TaskScheduled', 9],
);

test('a running state has its attempts and its progress', () => {
  const progress = { Train: { what: 'rounds', done: 3, total: 10 } };
  const { states, taken } = statesOfRun(running, progress, 'RUNNING');
  expect(states.get('Settings')).toMatchObject({
    status: 'succeeded',
    enteredMs: 0,
    leftMs: 1,
    input: { a: 1 },
    output: 2,
  });
  expect(states.get('Train')).toMatchObject({
    status: 'running',
    attempts: 2,
    leftMs: null,
    progress: progress.Train,
  });
  expect([...taken]).toEqual([transition('Settings', 'Train')]);
});

test('a failed state counts as running until the run ends', () => {
  const failed = running.slice(0, 6);
  const state = (status: string) => statesOfRun(failed, {}, status).states.get('Train');
  expect(state('RUNNING')).toMatchObject({ status: 'running', error: 'Busy' });
  expect(state('FAILED')).toMatchObject({ status: 'failed', cause: 'No machine.' });
});

test('a caught failure differs from a final one, and a Fail state has failed', () => {
  const history = [
    ...running.slice(0, 6),
    ...entries(
      ['TaskStateExited', 6, { name: 'Train' }],
      ['FailStateEntered', 6, { name: 'Failed' }],
      ['ExecutionFailed', 6, { error: 'Busy' }],
    ).map((entry) => ({ ...entry, id: entry.id + 6, previousEventId: entry.previousEventId + 6 })),
  ];
  const { states, taken } = statesOfRun(history, {}, 'FAILED');
  expect(states.get('Train')).toMatchObject({ status: 'caught', error: 'Busy' });
  expect(states.get('Failed')?.status).toBe('failed');
  expect(taken.has(transition('Train', 'Failed'))).toBe(true);
});

test('the open states of a stopped run are stopped', () => {
  expect(statesOfRun(running, {}, 'ABORTED').states.get('Train')?.status).toBe('stopped');
});

test('entries without a name belong to the state of the previous entry', () => {
  expect(stateByEntryId(running).get(5)).toBe('Train');
  expect(stateByEntryId(running).has(1)).toBe(false);
});
