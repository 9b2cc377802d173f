/** The states of a run, computed from its history. Pure. */
import type { HistoryEntry, StateProgress } from '../../../lib/types';
import { asObject, asString } from './asl';

export type StateStatus = 'waiting' | 'running' | 'succeeded' | 'caught' | 'failed' | 'stopped';

/** One execution of a state. `leftMs` is null while it lasts. */
export interface Visit {
  enteredMs: number;
  leftMs: number | null;
}

export interface StateRun {
  name: string;
  status: StateStatus;
  /** Attempts in the last visit; 0 for states without a task. */
  attempts: number;
  enteredMs: number;
  leftMs: number | null;
  input?: unknown;
  output?: unknown;
  error: string | null;
  cause: string | null;
  progress: StateProgress | null;
  /** Oldest first. Loops and Maps visit a state more than once. */
  visits: Visit[];
}

export interface RunStates {
  states: Map<string, StateRun>;
  /** The transitions taken; see {@link transition}. */
  taken: Set<string>;
}

/** The key of a transition in {@link RunStates.taken}. */
export function transition(from: string, to: string): string {
  return `${from} → ${to}`;
}

const FAILED = /(Failed|TimedOut)$/;
/** The status of open states after a run ended with a status. */
const OPEN_STATES_AFTER: Record<string, StateStatus> = {
  FAILED: 'failed',
  TIMED_OUT: 'failed',
  ABORTED: 'stopped',
};

/** Folds a run's history. `progress` is by state, and `status` is the run's. */
export function statesOfRun(
  history: HistoryEntry[],
  progress: Record<string, StateProgress>,
  status: string,
): RunStates {
  const states = new Map<string, StateRun>();
  const taken = new Set<string>();
  const stateById = stateByEntryId(history);
  for (const entry of history) {
    const name = stateById.get(entry.id);
    if (name === undefined) continue;
    const details = asObject(entry.details);
    const state = states.get(name);
    if (entry.type.endsWith('StateEntered')) {
      enter(states, name, entry.timestamp_ms, details['input']);
      const previousName = stateById.get(entry.previousEventId);
      if (previousName === undefined) continue;
      if (previousName !== name) taken.add(transition(previousName, name));
      // The run went on after this error, so the error was caught.
      const previous = states.get(previousName);
      if (previous?.status === 'failed') previous.status = 'caught';
    } else if (state) {
      update(state, entry, details);
    }
  }
  const newest = [...states.values()].reduce<StateRun | null>(
    (a, b) => (a === null || lastEntered(b) >= lastEntered(a) ? b : a),
    null,
  );
  for (const state of states.values()) {
    // While the run goes on, a failed state waits for its next attempt.
    if (state === newest && state.status === 'failed' && status === 'RUNNING') {
      state.status = 'running';
    }
    if (state.leftMs === null && state.status === 'running') {
      state.progress = progress[state.name] ?? null;
      state.status = OPEN_STATES_AFTER[status] ?? 'running';
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

function update(state: StateRun, { type, timestamp_ms }: HistoryEntry, details: object): void {
  const { error, cause, output } = details as Record<string, unknown>;
  if (type === 'TaskScheduled' || type === 'LambdaFunctionScheduled') {
    state.attempts += 1;
    state.status = 'running';
    state.leftMs = null;
  } else if (type.endsWith('StateExited')) {
    leave(state, timestamp_ms);
    state.output = output;
    // A caught error exits the state too.
    state.status = state.status === 'failed' ? 'caught' : 'succeeded';
  } else if (FAILED.test(type) && !type.startsWith('MapIteration')) {
    state.status = 'failed';
    state.error = asString(error);
    state.cause = asString(cause);
  } else if (/(TaskSucceeded|LambdaFunctionSucceeded|MapStateSucceeded)$/.test(type)) {
    state.status = 'running';
    // Clear the error of an earlier attempt.
    state.error = null;
    state.cause = null;
  }
}

function leave(state: StateRun, ms: number): void {
  state.leftMs = ms;
  const visit = state.visits.findLast(({ leftMs }) => leftMs === null);
  if (visit) visit.leftMs = ms;
}

/** The state of each entry, by entry id. Entries without a name inherit the state. */
export function stateByEntryId(history: HistoryEntry[]): Map<number, string> {
  const stateById = new Map<number, string>();
  for (const { id, previousEventId, type, details } of history) {
    const name = asString(asObject(details)['name']) ?? stateById.get(previousEventId);
    if (name !== undefined && !type.startsWith('Execution')) stateById.set(id, name);
  }
  return stateById;
}
