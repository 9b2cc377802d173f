/** Asks for the lists of the page, several at once. */
import type { components } from '../../../webapp/src/lib/schema';
import { base, page, warn } from './config';
import { headers } from './outbox';
import { credential, shopper } from './shopper';
import { hasAgreed } from './storage';

type Schemas = components['schemas'];
export type Asked = Schemas['ListRequest'];
export type List = Schemas['PlacementList'];

/** Most lists of a request. */
const MAX_LISTS = 10;
const TIMEOUT_MS = 5_000;

interface Waiting {
  asked: Asked;
  answer: (list: List | undefined) => void;
}

let waiting: Waiting[] = [];

/**
 * Asks for a list. Lists that are asked for in the same moment are one request, so that no product
 * is in two of them. Undefined if there is no answer.
 */
export function ask(asked: Asked): Promise<List | undefined> {
  return new Promise((answer) => {
    if (waiting.push({ asked, answer }) === 1) queueMicrotask(() => void send());
  });
}

async function send(): Promise<void> {
  const lists = waiting.splice(0, MAX_LISTS);
  if (waiting.length > 0) queueMicrotask(() => void send());
  const answers = await request(lists.map(({ asked }) => asked)).catch((error: unknown) => {
    warn(error);
    return [];
  });
  lists.forEach(({ answer }, at) => answer(answers[at]));
}

async function request(placements: Asked[]): Promise<List[]> {
  if (!hasAgreed()) return [];
  const who = shopper();
  const by = await credential('user_id' in who ? who.user_id : undefined);
  if (by === undefined) throw new Error('there is no token for the shopper');
  const response = await fetch(`${base}/v1/page`, {
    method: 'POST',
    headers: headers(by),
    body: JSON.stringify({ ...who, ...(page ? { page } : {}), placements }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(await response.text());
  return ((await response.json()) as Schemas['PageAnswer']).placements;
}
