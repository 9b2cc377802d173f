import { CartwheelError, errorOf } from './error.js';
import type { AnswerOf, Method, Parts, PathOf } from './operations.js';

/** How a client reaches the server. */
export interface Settings {
  /** The server, such as `https://recommendations.example`. */
  url: string;
  /** A secret key on a server, a publishable key in a page. */
  key?: string;
  /** A shopper token, or what fetches one; asked again after a token was refused. */
  token?: string | (() => Promise<string>);
  /** Milliseconds until an attempt counts as failed; 2,000 by default. */
  timeoutMs?: number;
  /** Further attempts after one that failed; 2 by default. */
  retries?: number;
}

/** How one request differs from the client's settings. */
export interface Options<A> {
  timeoutMs?: number;
  retries?: number;
  /** What to answer if the server does not: not in time, or not at the moment. */
  fallback?: (error: CartwheelError) => A;
  signal?: AbortSignal;
}

const FIRST_WAIT_MS = 200;
const MAX_WAIT_MS = 10_000;
/** Longest body of a request that outlives its page, in characters; browsers allow 64 KiB. */
const MAX_KEPT_BODY = 20_000;
/** Requests that change nothing, or whose events have ids: a second one does no harm. */
const REPEATABLE = /^\/(submit|v1\/(events|page|rank|recommendations|placements\/\{name\}))$/;

/** Sends requests, again where that helps. */
export class Transport {
  readonly #settings: Settings;
  readonly #base: string;
  #token: string | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#base = settings.url.replace(/\/+$/, '');
  }

  async request<M extends Method, P extends PathOf<M>>(
    method: M,
    path: P,
    parts: Parts<M, P>,
    options: Options<AnswerOf<M, P>>,
  ): Promise<AnswerOf<M, P>> {
    const address = this.#address(path, parts);
    const body = parts.body === undefined ? undefined : JSON.stringify(parts.body);
    const isRepeatable = method === 'get' || method === 'put' || REPEATABLE.test(path);
    const retries = options.retries ?? this.#settings.retries ?? 2;
    let renewed = false;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const response = await this.#send(method, address, body, options);
        const isEmpty = response.status === 204;
        return (isEmpty ? undefined : await response.json()) as AnswerOf<M, P>;
      } catch (thrown) {
        const error = asError(thrown, options.signal);
        if (error.status === 401 && !renewed && typeof this.#settings.token === 'function') {
          renewed = true;
          this.#token = undefined;
          continue;
        }
        // A request that was refused for its rate was not carried out.
        const mayRepeat = isRepeatable || error.status === 429;
        if (mayRepeat && error.isPassing && attempt < retries && !options.signal?.aborted) {
          await wait(attempt, error, options.signal);
          continue;
        }
        if (error.isPassing && options.fallback) return options.fallback(error);
        throw error;
      }
    }
  }

  #address<M extends Method, P extends PathOf<M>>(path: P, parts: Parts<M, P>): string {
    const names = (parts.path ?? {}) as Record<string, unknown>;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = names[name];
      if (value === undefined) throw new TypeError(`${path} needs path.${name}`);
      return encodeURIComponent(String(value));
    });
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(parts.query ?? {})) {
      if (value !== undefined && value !== null) query.set(name, String(value));
    }
    return `${this.#base}${filled}${query.size > 0 ? `?${query.toString()}` : ''}`;
  }

  async #send(
    method: Method,
    address: string,
    body: string | undefined,
    options: Options<unknown>,
  ): Promise<Response> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers['content-type'] = 'application/json';
    const { key, token } = this.#settings;
    this.#token ??= typeof token === 'function' ? await token() : token;
    if (this.#token !== undefined) headers.authorization = `Bearer ${this.#token}`;
    else if (key !== undefined) headers['x-api-key'] = key;
    const timeout = AbortSignal.timeout(options.timeoutMs ?? this.#settings.timeoutMs ?? 2_000);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    // A browser completes a short request even if its page goes away.
    const keepalive = body !== undefined && body.length < MAX_KEPT_BODY;
    const init: RequestInit = { method: method.toUpperCase(), headers, signal, keepalive };
    const response = await fetch(address, body === undefined ? init : { ...init, body });
    if (!response.ok) throw await refused(response);
    return response;
  }
}

/** An error with the time that the server asks to wait. */
interface Refused extends CartwheelError {
  retryAfterMs?: number;
}

async function refused(response: Response): Promise<Refused> {
  const error: Refused = await errorOf(response);
  const seconds = Number(response.headers.get('retry-after') ?? NaN);
  if (seconds >= 0) error.retryAfterMs = seconds * 1_000;
  return error;
}

function asError(thrown: unknown, signal?: AbortSignal): Refused {
  if (thrown instanceof CartwheelError) return thrown;
  // The caller has given up: its own reason counts.
  if (signal?.aborted) throw signal.reason;
  const isLate = thrown instanceof Error && thrown.name === 'TimeoutError';
  const message = isLate ? 'no answer in time' : 'the server cannot be reached';
  return new CartwheelError(message, 0, undefined, { cause: thrown });
}

/** Waits before the next attempt: as long as the server asks, or longer with every attempt. */
async function wait(attempt: number, error: Refused, signal?: AbortSignal): Promise<void> {
  const backoff = FIRST_WAIT_MS * 2 ** attempt * (0.5 + Math.random() / 2);
  const ms = Math.min(error.retryAfterMs ?? backoff, MAX_WAIT_MS);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
