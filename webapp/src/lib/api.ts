/** The client of the cartwheel API. It sends to one base address and no other. */
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

type Fetch = (input: string, init?: RequestInit) => Promise<Response>;
type Query = Record<string, string | number | boolean | undefined>;

interface Asked {
  method?: 'GET' | 'POST';
  body?: unknown;
  query?: Query;
  signal?: AbortSignal | undefined;
  /** Statuses besides 2xx whose body is an answer too. */
  alsoOk?: readonly number[];
}

export class Api {
  readonly #base: string;
  readonly #fetch: Fetch;
  readonly #timeoutMs: number;
  /** Sent with every request once it is set; lives in memory alone. */
  key = '';

  constructor(base: string, fetcher: Fetch = (i, o) => fetch(i, o), timeoutMs = TIMEOUT_MS) {
    this.#base = base.replace(/\/+$/, '');
    this.#fetch = fetcher;
    this.#timeoutMs = timeoutMs;
  }

  // Every method throws ApiError.

  /** Sends one event. */
  async submit(body: EventBody): Promise<Sent> {
    const { raw, status } = await this.#ask('/submit', { method: 'POST', body });
    return { answer: raw as SubmitAnswer, raw, status };
  }

  async recommend(question: {
    user_id: string;
    cart?: string[];
    limit?: number;
    explain?: boolean;
  }): Promise<Recommendations> {
    return this.#get('/v1/recommendations', { method: 'POST', body: question });
  }

  async departments(): Promise<Department[]> {
    const { departments } = await this.#get<{ departments: Department[] }>('/v1/departments');
    return departments;
  }

  /** Products by popularity, or best match first. */
  async products(query: ProductQuery, signal?: AbortSignal): Promise<Products> {
    return this.#get('/v1/products', { query: { ...query }, signal });
  }

  async product(id: string, signal?: AbortSignal): Promise<Product> {
    return this.#get(`/v1/products/${encodeURIComponent(id)}`, { signal });
  }

  /** Products bought together with one. */
  async similar(id: string, limit: number): Promise<Recommendation[]> {
    return this.#ranked(`/v1/products/${encodeURIComponent(id)}/similar`, { limit });
  }

  /** What is bought most, of all or of one department or aisle. */
  async popular(
    limit: number,
    of: { department?: string; aisle?: string } = {},
  ): Promise<Recommendation[]> {
    return this.#ranked('/v1/popular', { limit, ...of });
  }

  async #ranked(path: string, query: Query): Promise<Recommendation[]> {
    const answer = await this.#get<{ recommendations: Recommendation[] }>(path, { query });
    return answer.recommendations;
  }

  /** A few users with a history. */
  async users(limit: number): Promise<UserSummary[]> {
    return (await this.#get<{ users: UserSummary[] }>('/v1/users', { query: { limit } })).users;
  }

  /** What the server knows of a shopper's cart. */
  async cart(userId: string): Promise<Cart> {
    return this.#get(`/v1/users/${encodeURIComponent(userId)}/cart`);
  }

  async user(userId: string): Promise<UserDetail> {
    return this.#get(`/v1/users/${encodeURIComponent(userId)}`);
  }

  /** Whether the server can answer; its 503 is an answer too. */
  async ready(): Promise<Readiness> {
    return this.#get('/readyz', { alsoOk: [503] });
  }

  /** Calls `on` once a second until the signal aborts or the stream ends. */
  async live(on: (live: Live) => void, signal: AbortSignal): Promise<void> {
    await this.#stream('/v1/live', signal, (data) => on(JSON.parse(data) as Live));
  }

  /** The state machine, in the Amazon States Language. */
  async definition(): Promise<unknown> {
    return this.#get('/v1/pipeline/definition');
  }

  async executions(): Promise<Executions> {
    return this.#get('/v1/pipeline/executions');
  }

  async execution(name: string): Promise<Run> {
    return this.#get(run(name));
  }

  /** Calls `on` with the run after each change until it ends. */
  async follow(name: string, on: (run: Run) => void, signal: AbortSignal): Promise<void> {
    await this.#stream(`${run(name)}/events`, signal, (data) => on(JSON.parse(data) as Run));
  }

  async logs(name: string): Promise<LogLine[]> {
    return (await this.#get<{ lines: LogLine[] }>(`${run(name)}/logs`)).lines;
  }

  /** Starts a run and gives its name; hyperparameters go over the definition's. */
  async start(hyperparameters: Record<string, string> = {}): Promise<string> {
    return this.#named('/v1/pipeline/executions', { hyperparameters });
  }

  async stop(name: string): Promise<string> {
    return this.#named(`${run(name)}/stop`);
  }

  async redrive(name: string): Promise<string> {
    return this.#named(`${run(name)}/redrive`);
  }

  async #named(path: string, body?: unknown): Promise<string> {
    return (await this.#get<{ name: string }>(path, { method: 'POST', body })).name;
  }

  /** Every model, the newest first. */
  async models(): Promise<Model[]> {
    return (await this.#get<{ models: Model[] }>('/v1/models')).models;
  }

  async model(version: string): Promise<ModelDetail> {
    return this.#get(`/v1/models/${encodeURIComponent(version)}`);
  }

  async deploy(version: string): Promise<Release> {
    return this.#get(`/v1/models/${encodeURIComponent(version)}/deploy`, { method: 'POST' });
  }

  async rollback(): Promise<Release> {
    return this.#get('/v1/models/rollback', { method: 'POST' });
  }

  async lake(): Promise<Lake> {
    return this.#get('/v1/lake');
  }

  async lakeTable(name: string): Promise<LakeTableDetail> {
    return this.#get(`/v1/lake/tables/${encodeURIComponent(name)}`);
  }

  async lakeJob(): Promise<LakeJob | null> {
    return (await this.#get<{ job?: LakeJob | null }>('/v1/lake/job')).job ?? null;
  }

  async startLakeJob(job: StartImport | StartGenerate): Promise<LakeJob> {
    return this.#get('/v1/lake/job', { method: 'POST', body: job });
  }

  async quality(days: number): Promise<Quality> {
    return this.#get('/v1/quality', { query: { days } });
  }

  async #get<T>(path: string, asked: Asked = {}): Promise<T> {
    return (await this.#ask(path, asked)).raw as T;
  }

  async #ask(path: string, asked: Asked): Promise<{ raw: unknown; status: number }> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const signal = asked.signal ? AbortSignal.any([asked.signal, timeout]) : timeout;
    let response: Response;
    let body: string;
    try {
      response = await this.#fetch(this.#base + path + search(asked.query), {
        ...this.#init(asked),
        signal,
      });
      body = await response.text();
    } catch (error) {
      throw connectionError(error, this.#timeoutMs);
    }
    const raw = parse(body);
    const { status } = response;
    if (!response.ok && !asked.alsoOk?.includes(status)) throw refusal(response, raw);
    if (typeof raw !== 'object' || raw === null) {
      throw new ApiError('answer', "The server's answer is not a JSON object.", status);
    }
    return { raw, status };
  }

  async #stream(path: string, signal: AbortSignal, on: (data: string) => void): Promise<void> {
    let response: Response;
    try {
      response = await this.#fetch(this.#base + path, { ...this.#init({}), signal });
    } catch (error) {
      throw connectionError(error, this.#timeoutMs);
    }
    if (!response.ok) throw refusal(response, parse(await response.text()));
    if (!response.body) throw new ApiError('answer', 'The answer has no body.', response.status);
    try {
      await readEvents(response.body, (_event, data) => on(data));
    } catch (error) {
      throw connectionError(error, this.#timeoutMs);
    }
  }

  #init({ method = 'GET', body }: Asked): RequestInit {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (this.key !== '') headers['x-api-key'] = this.key;
    if (body === undefined) return { method, headers };
    headers['content-type'] = 'application/json';
    return { method, headers, body: JSON.stringify(body) };
  }
}

function run(name: string): string {
  return `/v1/pipeline/executions/${encodeURIComponent(name)}`;
}

function search(query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length === 0 ? '' : `?${text}`;
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
