/** Labels and icons for the status of states and runs. */
import type { StateStatus } from './history';

export const STATE_LABELS: Record<StateStatus, string> = {
  waiting: 'Not reached',
  running: 'Running',
  succeeded: 'Succeeded',
  caught: 'Failed (caught)',
  failed: 'Failed',
  stopped: 'Stopped',
};

/** SVG paths in a 16 × 16 square. */
export const STATE_ICONS: Record<StateStatus, string> = {
  waiting: 'M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3',
  running: 'M5.500 3.500v9l7-4.500z',
  succeeded: 'M3 8.500l3.500 3.500L13 4.500',
  caught: 'M8 2.500 14 13H2zM8 6.500v3M8 11v.500',
  failed: 'M4 4l8 8M12 4l-8 8',
  stopped: 'M4 4h8v8H4z',
};

const RUN_STATES: Record<string, StateStatus> = {
  RUNNING: 'running',
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
  TIMED_OUT: 'failed',
  ABORTED: 'stopped',
};

const RUN_LABELS: Record<string, string> = {
  RUNNING: 'Running',
  SUCCEEDED: 'Succeeded',
  FAILED: 'Failed',
  TIMED_OUT: 'Timed out',
  ABORTED: 'Stopped',
};

/** The state status whose icon a run's status shares. */
export function runState(status: string): StateStatus {
  return RUN_STATES[status] ?? 'waiting';
}

/** The label of a run's status; the status itself if it is unknown. */
export function runLabel(status: string): string {
  return RUN_LABELS[status] ?? status;
}
