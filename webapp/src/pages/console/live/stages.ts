/** How far an event has come. Pure. */
import { eventName } from '../../../lib/format';
import { EVENT_KINDS, type EventStage, type LiveEvent } from '../../../lib/types';

export type StepState = 'done' | 'waiting' | 'unused';

export interface Step {
  stage: EventStage;
  state: StepState;
  /** What to read under the mark. */
  words: string;
  title: string;
}

export const STAGES: readonly { stage: EventStage; name: string }[] = [
  { stage: 'accepted', name: 'Accepted' },
  { stage: 'synced', name: 'Synced' },
  { stage: 'delivered', name: 'Delivered' },
  { stage: 'in_feature_set', name: 'In features' },
  { stage: 'in_model', name: 'In model' },
];

export function stepsOf(event: LiveEvent): Step[] {
  const reached = STAGES.findIndex(({ stage }) => stage === event.stage);
  return STAGES.map(({ stage, name }, at) => {
    if (at >= 3 && event.event !== 'checkout') {
      const title = 'Features are built from checkouts; this kind steers the session alone.';
      return { stage, state: 'unused', words: 'not used', title };
    }
    if (at > reached) {
      const words = at >= 3 ? 'next run' : 'waiting';
      return { stage, state: 'waiting', words, title: `${name}: ${words}` };
    }
    const words = stage === 'synced' && event.sync_ms != null ? ms(event.sync_ms) : 'yes';
    return { stage, state: 'done', words, title: `${name}: ${words}` };
  });
}

function ms(value: number): string {
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ms`;
}

/** A kind in words; one that is not known as it came. */
export function kindName(kind: string): string {
  const known = EVENT_KINDS.find((one) => one === kind);
  return known ? eventName(known) : kind;
}

/** The first products, and how many more there are. */
export function productWords(ids: string[], most = 3): string {
  const more = ids.length - most;
  return ids.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
