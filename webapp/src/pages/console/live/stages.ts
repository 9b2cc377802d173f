/** The processing stages of an event. Pure. */
import { eventName } from '../../../lib/format';
import { milliseconds } from '../../../lib/time';
import type { EventStage, LiveEvent } from '../../../lib/types';
import { isEventKind } from '../../../lib/validate';

/** `unused` marks a stage that events of this kind never reach. */
export type StepState = 'done' | 'waiting' | 'unused';

export interface Step {
  stage: EventStage;
  state: StepState;
  /** Short text under the mark. */
  note: string;
  /** Tooltip. */
  title: string;
}

export const STAGES: readonly { stage: EventStage; name: string }[] = [
  { stage: 'accepted', name: 'Accepted' },
  { stage: 'synced', name: 'Synced' },
  { stage: 'delivered', name: 'Delivered' },
  { stage: 'in_feature_set', name: 'In features' },
  { stage: 'in_model', name: 'In model' },
];

/** Index in {@link STAGES} of the first stage that only checkouts reach. */
const FIRST_LEARNING_STAGE = 3;

/** The state of each stage for `event`. */
export function stepsOf(event: LiveEvent): Step[] {
  const reached = STAGES.findIndex(({ stage }) => stage === event.stage);
  return STAGES.map(({ stage, name }, index) => {
    if (index >= FIRST_LEARNING_STAGE && event.event !== 'checkout') {
      const title = 'Only checkouts become features; this event only updates the session.';
      return { stage, state: 'unused', note: 'not used', title };
    }
    if (index > reached) {
      const note = index >= FIRST_LEARNING_STAGE ? 'next run' : 'waiting';
      return { stage, state: 'waiting', note, title: `${name}: ${note}` };
    }
    const note = stage === 'synced' && event.sync_ms != null ? milliseconds(event.sync_ms) : 'yes';
    return { stage, state: 'done', note, title: `${name}: ${note}` };
  });
}

/** The display name of an event kind; `kind` itself if it is unknown. */
export function kindName(kind: string): string {
  return isEventKind(kind) ? eventName(kind) : kind;
}
