/** What a run's history says of each state. Pure. */
import type { HistoryEntry, StateProgress } from '../../../lib/types';
import { object, text } from './asl';

export type StateStatus = 'waiting' | 'running' | 'succeeded' | 'caught' | 'failed' | 'stopped';

export interface Visit {
  enteredMs: number;
  leftMs: number | null;
}

export interface StateRun {
  name: string;
  status: StateStatus;
  /** Tries of the last visit; 0 for states that do no task. */
  attempts: number;
  enteredMs: number;
  leftMs: number | null;
  input?: unknown;
  output?: unknown;
  error: string | null;
  cause: string | null;
  progress: StateProgress | null;
  /** Oldest first: a loop or a Map comes by more than once. */
  visits: Visit[];
}

export interface Folded {
  states: Map<string, StateRun>;
  /** `from → to` of each step taken. */
  taken: Set<string>;
}

/** The key of a step in {@link Folded.taken}. */
export function step(from: string, to: string): string {
  return `${from} → ${to}`;
}

const FAILED = /(Failed|TimedOut)$/;
const OVER: Record<string, StateStatus> = {
  FAILED: 'failed',
  TIMED_OUT: 'failed',
  ABORTED: 'stopped',
};

export function foldHistory(
  history: HistoryEntry[],
  progress: Record<string, StateProgress>,
  status: string,
): Folded {
  const states = new Map<string, StateRun>();
  const taken = new Set<string>();
  const of = statesOf(history);
  for (const entry of history) {
    const name = of.get(entry.id);
    if (name === undefined) continue;
    const details = object(entry.details);
    const state = states.get(name);
    if (entry.type.endsWith('StateEntered')) {
      enter(states, name, entry.timestamp_ms, details['input']);
      const before = of.get(entry.previousEventId);
      if (before !== undefined && before !== name) taken.add(step(before, name));
      // What was left by an error goes on in the state that caught it.
      const left = before === undefined ? undefined : states.get(before);
      if (left?.status === 'failed') left.status = 'caught';
    } else if (state) {
      follow(state, entry, details);
    }
  }
  const newest = [...states.values()].reduce<StateRun | null>(
    (a, b) => (a === null || lastEntered(b) >= lastEntered(a) ? b : a),
    null,
  );
  for (const state of states.values()) {
    // A failure of a run that goes on waits for its next try.
    if (state === newest && state.status === 'failed' && status === 'RUNNING') {
      state.status = 'running';
    }
    if (state.leftMs === null && state.status === 'running') {
      state.progress = progress[state.name] ?? null;
      state.status = OVER[status] ?? 'running';
    }
  }
  return { states, taken };
}

function lastEntered(state: StateRun): number {
  return state.visits.at(-1)?.enteredMs ?? state.enteredMs;
}

function enter(states: Map<string, StateRun>, name: string, ms: number, input: unknown): void {
  const visits = states.get(name)?.visits ?? [];
  visits.push({ enteredMs: ms, leftMs: null });
  states.set(name, {
    name,
    status: 'running',
    attempts: 0,
    enteredMs: visits[0]?.enteredMs ?? ms,
    leftMs: null,
    input,
    error: null,
    cause: null,
    progress: null,
    visits,
  });
}

function follow(state: StateRun, { type, timestamp_ms }: HistoryEntry, details: object): void {
  const { error, cause, output } = details as Record<string, unknown>;
  if (type === 'TaskScheduled' || type === 'LambdaFunctionScheduled') {
    state.attempts += 1;
    state.status = 'running';
    state.leftMs = null;
  } else if (type.endsWith('StateExited')) {
    leave(state, timestamp_ms);
    state.output = output;
    // A caught error leaves the state as well.
    state.status = state.status === 'failed' ? 'caught' : 'succeeded';
  } else if (FAILED.test(type) && !type.startsWith('MapIteration')) {
    state.status = 'failed';
    state.error = text(error);
    state.cause = text(cause);
  } else if (/(TaskSucceeded|LambdaFunctionSucceeded|MapStateSucceeded)$/.test(type)) {
    state.status = 'running';
    // What an attempt before failed of is over.
    state.error = null;
    state.cause = null;
  }
}

function leave(state: StateRun, ms: number): void {
  state.leftMs = ms;
  const visit = state.visits.findLast(({ leftMs }) => leftMs === null);
  if (visit) visit.leftMs = ms;
}

/** The state of each entry, by the entry's id: its own, or the one of the entry before. */
export function statesOf(history: HistoryEntry[]): Map<number, string> {
  const of = new Map<number, string>();
  for (const { id, previousEventId, type, details } of history) {
    const name = text(object(details)['name']) ?? of.get(previousEventId);
    if (name !== undefined && !type.startsWith('Execution')) of.set(id, name);
  }
  return of;
}
