/** The client of the cartwheel API. It sends to one base address and no other. */
import createClient, { type Client } from 'openapi-fetch';
import type { paths } from './schema';
import { readEvents } from './sse';
import type {
  Cart,
  Department,
  EventBody,
  Executions,
  Lake,
  LakeJob,
  LakeTableDetail,
  Live,
  LogLine,
  Model,
  ModelDetail,
  Problem,
  Product,
  Products,
  Quality,
  Readiness,
  Recommendation,
  Recommendations,
  Release,
  Run,
  StartGenerate,
  StartImport,
  SubmitAnswer,
  UserDetail,
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

/** Whatever was thrown, as an {@link ApiError}. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError('answer', error instanceof Error ? error.message : String(error));
}

/** A decoded answer beside the JSON it came from. */
export interface Sent {
  answer: SubmitAnswer;
  raw: unknown;
  status: number;
}

/** Which products to list. */
export interface ProductQuery {
  search?: string;
  department?: string;
  aisle?: string;
  offset?: number;
  limit?: number;
}

type Fetch = (request: Request) => Promise<Response>;

/** What a call of the generated client comes to. */
interface Got<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

export class Api {
  readonly #base: string;
  readonly #fetch: Fetch;
  readonly #timeoutMs: number;
  readonly #client: Client<paths>;
  /** Sent with every request once it is set; lives in memory alone. */
  key = '';

  constructor(base: string, fetcher: Fetch = (request) => fetch(request), timeoutMs = TIMEOUT_MS) {
    this.#base = base.replace(/\/+$/, '');
    this.#timeoutMs = timeoutMs;
    this.#fetch = (request) => {
      if (this.key !== '') request.headers.set('x-api-key', this.key);
      return fetcher(request);
    };
    this.#client = createClient<paths>({ baseUrl: this.#base, fetch: this.#fetch });
  }

  // Every method throws ApiError.

  /** Sends one event. */
  async submit(body: EventBody): Promise<Sent> {
    const { data, response } = await this.#got(
      this.#client.POST('/submit', { body, signal: this.#signal() }),
    );
    return { answer: data, raw: data, status: response.status };
  }

  async recommend(question: {
    user_id: string;
    cart?: string[];
    limit?: number;
    explain?: boolean;
  }): Promise<Recommendations> {
    return this.#data(
      this.#client.POST('/v1/recommendations', { body: question, signal: this.#signal() }),
    );
  }

  async departments(): Promise<Department[]> {
    const asked = this.#client.GET('/v1/departments', { signal: this.#signal() });
    return (await this.#data(asked)).departments;
  }

  /** Products by popularity. */
  async products(query: ProductQuery, signal?: AbortSignal): Promise<Products> {
    return this.#data(
      this.#client.GET('/v1/products', { params: { query }, signal: this.#signal(signal) }),
    );
  }

  async product(id: string, signal?: AbortSignal): Promise<Product> {
    const path = { id };
    return this.#data(
      this.#client.GET('/v1/products/{id}', { params: { path }, signal: this.#signal(signal) }),
    );
  }

  /** Products bought together with one. */
  async similar(id: string, limit: number): Promise<Recommendation[]> {
    const params = { path: { id }, query: { limit } };
    const asked = this.#client.GET('/v1/products/{id}/similar', {
      params,
      signal: this.#signal(),
    });
    return (await this.#data(asked)).recommendations;
  }

  /** What is bought most, of all or of one department or aisle. */
  async popular(
    limit: number,
    of: { department?: string; aisle?: string } = {},
  ): Promise<Recommendation[]> {
    const params = { query: { limit, ...of } };
    const asked = this.#client.GET('/v1/popular', { params, signal: this.#signal() });
    return (await this.#data(asked)).recommendations;
  }

  /** A few users with a history. */
  async users(limit: number): Promise<UserSummary[]> {
    const params = { query: { limit } };
    const asked = this.#client.GET('/v1/users', { params, signal: this.#signal() });
    return (await this.#data(asked)).users;
  }

  /** What the server knows of a shopper's cart. */
  async cart(userId: string): Promise<Cart> {
    const params = { path: { id: userId } };
    return this.#data(this.#client.GET('/v1/users/{id}/cart', { params, signal: this.#signal() }));
  }

  async user(userId: string): Promise<UserDetail> {
    const params = { path: { id: userId } };
    return this.#data(this.#client.GET('/v1/users/{id}', { params, signal: this.#signal() }));
  }

  /** Whether the server can answer; its 503 is an answer too. */
  async ready(): Promise<Readiness> {
    const asked = this.#client.GET('/readyz', { signal: this.#signal() });
    return this.#data(
      asked.then(({ data, error, response }) => {
        const unready = response.status === 503 ? (error as Readiness) : undefined;
        const found = data ?? unready;
        return found === undefined ? { error, response } : { data: found, response };
      }),
    );
  }

  /** Calls `on` once a second until the signal aborts or the stream ends. */
  async live(on: (live: Live) => void, signal: AbortSignal): Promise<void> {
    await this.#stream('/v1/live', signal, (data) => on(JSON.parse(data) as Live));
  }

  /** The state machine, in the Amazon States Language. */
  async definition(): Promise<unknown> {
    return this.#data(this.#client.GET('/v1/pipeline/definition', { signal: this.#signal() }));
  }

  async executions(): Promise<Executions> {
    return this.#data(this.#client.GET('/v1/pipeline/executions', { signal: this.#signal() }));
  }

  async execution(name: string): Promise<Run> {
    const asked = { params: { path: { name } }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/pipeline/executions/{name}', asked));
  }

  /** Calls `on` with the run after each change until it ends. */
  async follow(name: string, on: (run: Run) => void, signal: AbortSignal): Promise<void> {
    const path = `/v1/pipeline/executions/${encodeURIComponent(name)}/events`;
    await this.#stream(path, signal, (data) => on(JSON.parse(data) as Run));
  }

  async logs(name: string): Promise<LogLine[]> {
    const asked = { params: { path: { name } }, signal: this.#signal() };
    const log = this.#client.GET('/v1/pipeline/executions/{name}/logs', asked);
    return (await this.#data(log)).lines;
  }

  /** Starts a run and gives its name; hyperparameters go over the definition's. */
  async start(hyperparameters: Record<string, string> = {}): Promise<string> {
    const asked = { body: { hyperparameters }, signal: this.#signal() };
    return (await this.#data(this.#client.POST('/v1/pipeline/executions', asked))).name;
  }

  async stop(name: string): Promise<string> {
    const asked = { params: { path: { name } }, signal: this.#signal() };
    const stopped = this.#client.POST('/v1/pipeline/executions/{name}/stop', asked);
    return (await this.#data(stopped)).name;
  }

  async redrive(name: string): Promise<string> {
    const asked = { params: { path: { name } }, signal: this.#signal() };
    const redriven = this.#client.POST('/v1/pipeline/executions/{name}/redrive', asked);
    return (await this.#data(redriven)).name;
  }

  /** Every model, the newest first. */
  async models(): Promise<Model[]> {
    const asked = this.#client.GET('/v1/models', { signal: this.#signal() });
    return (await this.#data(asked)).models;
  }

  async model(version: string): Promise<ModelDetail> {
    const asked = { params: { path: { version } }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/models/{version}', asked));
  }

  async deploy(version: string): Promise<Release> {
    const asked = { params: { path: { version } }, signal: this.#signal() };
    return this.#data(this.#client.POST('/v1/models/{version}/deploy', asked));
  }

  async rollback(): Promise<Release> {
    return this.#data(this.#client.POST('/v1/models/rollback', { signal: this.#signal() }));
  }

  async lake(): Promise<Lake> {
    return this.#data(this.#client.GET('/v1/lake', { signal: this.#signal() }));
  }

  async lakeTable(name: string): Promise<LakeTableDetail> {
    const asked = { params: { path: { name } }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/lake/tables/{name}', asked));
  }

  async lakeJob(): Promise<LakeJob | null> {
    const asked = this.#client.GET('/v1/lake/job', { signal: this.#signal() });
    return (await this.#data(asked)).job ?? null;
  }

  async startLakeJob(body: StartImport | StartGenerate): Promise<LakeJob> {
    return this.#data(this.#client.POST('/v1/lake/job', { body, signal: this.#signal() }));
  }

  async quality(days: number): Promise<Quality> {
    const params = { query: { days } };
    return this.#data(this.#client.GET('/v1/quality', { params, signal: this.#signal() }));
  }

  #signal(signal?: AbortSignal): AbortSignal {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    return signal ? AbortSignal.any([signal, timeout]) : timeout;
  }

  async #data<T>(asked: Promise<Got<T>>): Promise<T> {
    return (await this.#got(asked)).data;
  }

  async #got<T>(asked: Promise<Got<T>>): Promise<{ data: T; response: Response }> {
    let got: Got<T>;
    try {
      got = await asked;
    } catch (error) {
      throw failure(error, this.#timeoutMs);
    }
    const { data, error, response } = got;
    if (!response.ok && data === undefined) throw refusal(response, error);
    if (typeof data !== 'object' || data === null) {
      throw new ApiError('answer', "The server's answer is not a JSON object.", response.status);
    }
    return { data, response };
  }

  async #stream(path: string, signal: AbortSignal, on: (data: string) => void): Promise<void> {
    let response: Response;
    try {
      const url = new URL(this.#base + path, globalThis.location?.href);
      response = await this.#fetch(new Request(url, { signal }));
      if (response.ok && response.body) {
        await readEvents(response.body, (_event, data) => on(data));
        return;
      }
    } catch (error) {
      throw failure(error, this.#timeoutMs);
    }
    throw refusal(response, parse(await response.text()));
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

/** Why no answer came. */
function failure(error: unknown, timeoutMs: number): ApiError {
  const name = error instanceof Error ? error.name : '';
  if (name === 'TimeoutError') {
    return new ApiError('timeout', `No answer came within ${timeoutMs / 1000} seconds.`);
  }
  if (name === 'AbortError') return new ApiError('aborted', 'The request was called off.');
  if (error instanceof SyntaxError) {
    return new ApiError('answer', "The server's answer is not JSON.");
  }
  return new ApiError('network', 'The server could not be reached.');
}

function isProblem(raw: unknown): raw is Problem {
  return typeof raw === 'object' && raw !== null && 'title' in raw;
}

function refusal(response: Response, raw: unknown): ApiError {
  const { status } = response;
  const problem = isProblem(raw) ? raw : null;
  const message = problem?.detail || problem?.title || `The server answered with status ${status}.`;
  const wait = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfter = Number.isFinite(wait) && wait >= 0 ? Math.min(wait, 3600) : null;
  return new ApiError('refused', message, status, problem, retryAfter);
}
