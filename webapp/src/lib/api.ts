/** The client of the cartwheel API. It sends to one base address and no other. */
import * as decode from './decode';
import type {
  EventBody,
  Problem,
  Product,
  Readiness,
  Recommendation,
  SubmitAnswer,
  UserSummary,
} from './types';

/** A request is given up after this long, in milliseconds. */
export const TIMEOUT_MS = 15_000;

/**
 * Why a request failed: `network` and `timeout` leave open whether the server
 * took the event, `refused` is the server's own no, `answer` is unreadable.
 */
export type FailureKind = 'network' | 'timeout' | 'refused' | 'answer' | 'aborted';

export class ApiError extends Error {
  constructor(
    readonly kind: FailureKind,
    message: string,
    /** HTTP status, or 0 where no answer came. */
    readonly status = 0,
    readonly problem: Problem | null = null,
    /** Seconds after which the server asks to be tried again, if it says so. */
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** A decoded answer beside the JSON it came from. */
export interface Sent {
  answer: SubmitAnswer;
  raw: unknown;
  status: number;
}

type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

export class Api {
  readonly #base: string;
  readonly #fetch: Fetch;
  readonly #timeoutMs: number;

  constructor(base: string, fetcher: Fetch = (i, o) => fetch(i, o), timeoutMs = TIMEOUT_MS) {
    this.#base = base.replace(/\/+$/, '');
    this.#fetch = fetcher;
    this.#timeoutMs = timeoutMs;
  }

  /** Sends one event. Throws {@link ApiError}. */
  async submit(body: EventBody): Promise<Sent> {
    const { raw, status } = await this.#json('/submit', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(body),
    });
    return { answer: this.#read(decode.submitAnswer, raw, status), raw, status };
  }

  /** Products whose names match `query`, best first. Throws {@link ApiError}. */
  async products(query: string, limit: number, signal?: AbortSignal): Promise<Product[]> {
    const search = new URLSearchParams({ search: query, limit: String(limit) });
    const { raw, status } = await this.#json(`/v1/products?${search}`, signal ? { signal } : {});
    return this.#read(decode.products, raw, status);
  }

  /** What is bought most of all. Throws {@link ApiError}. */
  async popular(limit: number): Promise<Recommendation[]> {
    const { raw, status } = await this.#json(`/v1/popular?limit=${limit}`);
    return this.#read(decode.recommendations, raw, status);
  }

  /** A few users with a history. Throws {@link ApiError}. */
  async users(limit: number): Promise<UserSummary[]> {
    const { raw, status } = await this.#json(`/v1/users?limit=${limit}`);
    return this.#read(decode.users, raw, status);
  }

  /** Whether the server can answer; its 503 is an answer too. Throws {@link ApiError}. */
  async ready(): Promise<Readiness> {
    const { raw, status } = await this.#json('/readyz', { cache: 'no-store' }, [503]);
    return this.#read(decode.readiness, raw, status);
  }

  #read<T>(read: (raw: unknown) => T, raw: unknown, status: number): T {
    try {
      return read(raw);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ApiError('answer', `The server's answer could not be read: ${why}.`, status);
    }
  }

  async #json(
    path: string,
    init: RequestInit = {},
    alsoOk: readonly number[] = [],
  ): Promise<{ raw: unknown; status: number }> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
    let response: Response;
    let body: string;
    try {
      response = await this.#fetch(this.#base + path, { ...init, signal });
      body = await response.text();
    } catch (error) {
      throw connectionError(error, this.#timeoutMs);
    }
    const raw = parse(body);
    const { status } = response;
    if (!response.ok && !alsoOk.includes(status)) throw refusal(response, raw);
    if (raw === undefined) {
      throw new ApiError('answer', "The server's answer is not JSON.", status);
    }
    return { raw, status };
  }
}

/** The JSON value of `body`, or undefined where it is none. */
function parse(body: string): unknown {
  try {
    const value: unknown = JSON.parse(body);
    return value;
  } catch {
    return undefined;
  }
}

function connectionError(error: unknown, timeoutMs: number): ApiError {
  const name = error instanceof Error ? error.name : '';
  if (name === 'TimeoutError') {
    return new ApiError('timeout', `No answer came within ${timeoutMs / 1000} seconds.`);
  }
  if (name === 'AbortError') return new ApiError('aborted', 'The request was called off.');
  return new ApiError('network', 'The server could not be reached.');
}

function refusal(response: Response, raw: unknown): ApiError {
  const { status } = response;
  const problem = decode.problem(raw, status);
  const message = problem?.detail || problem?.title || `The server answered with status ${status}.`;
  const wait = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfter = Number.isFinite(wait) && wait >= 0 ? Math.min(wait, 3600) : null;
  return new ApiError('refused', message, status, problem, retryAfter);
}
