/** The client of the cartwheel API. It sends requests to one base address only. */
import createClient, { type Client } from 'openapi-fetch';
import { ApiError, failure, refusal } from './api-error';
import type { paths } from './schema';
import type { SearchQuery } from './search-query';
import { readEvents } from './sse';
import { send, type Sent } from './upload';
import type {
  Cart,
  CatalogueEntry,
  CataloguePage,
  CatalogueProduct,
  Department,
  DocumentVersion,
  EventBody,
  Executions,
  FileImport,
  FileImports,
  ImportKind,
  ImportMapping,
  Lake,
  LakeJob,
  LakeTableDetail,
  ListRequest,
  Live,
  LogLine,
  Model,
  ModelDetail,
  Orders,
  Placement,
  PlacementList,
  Placements,
  Preview,
  PreviewRequest,
  Product,
  ProductQuality,
  Products,
  ProductsQuality,
  Quality,
  Readiness,
  Recommendation,
  Recommendations,
  Release,
  Replay,
  Rule,
  Rules,
  Run,
  SearchQueries,
  SearchResults,
  StartFileImport,
  StartGenerate,
  StartImport,
  SubmitAnswer,
  Synonyms,
  UnknownProducts,
  UserDetail,
  UserSummary,
} from './types';

/** Milliseconds after which a request times out. */
export const TIMEOUT_MS = 15_000;

/** The response to a submitted event, with its HTTP status. */
export interface SubmitResult {
  answer: SubmitAnswer;
  status: number;
}

/** Filters and paging of a product list. */
export interface ProductQuery {
  search?: string;
  department?: string;
  aisle?: string;
  offset?: number;
  limit?: number;
}

/** A search of the shop, and the page of it; `cursor` is the `next_cursor` of the page before. */
export interface ShopSearch extends SearchQuery {
  typing?: boolean;
  user_id?: string;
  cursor?: string;
  limit?: number;
}

/** Filters and paging of the catalogue; `cursor` is the `next_cursor` of the page before. */
export interface CatalogueQuery {
  search?: string;
  department?: string;
  visibility?: string;
  cursor?: string;
  limit?: number;
}

type Fetch = (request: Request) => Promise<Response>;

/** What the generated client returns. */
interface ClientResult<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

export class Api {
  readonly #base: string;
  readonly #fetch: Fetch;
  readonly #timeoutMs: number;
  readonly #client: Client<paths>;
  /** The API key, sent with every request unless empty; kept in memory only. */
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

  // Every method throws ApiError on failure.

  /** Sends one event. */
  async submit(body: EventBody): Promise<SubmitResult> {
    const { data, response } = await this.#result(
      this.#client.POST('/submit', { body, signal: this.#signal() }),
    );
    return { answer: data, status: response.status };
  }

  /** Reports events that need no recommendations. `leaving` lets the request outlive the page. */
  async report(events: EventBody[], leaving = false): Promise<void> {
    const init = leaving ? { keepalive: true } : { signal: this.#signal() };
    await this.#data(this.#client.POST('/v1/events', { body: events, ...init }));
  }

  /** Recommendations for a user, without submitting an event. */
  async recommend(query: {
    user_id: string;
    cart?: string[];
    limit?: number;
    explain?: boolean;
  }): Promise<Recommendations> {
    return this.#data(
      this.#client.POST('/v1/recommendations', { body: query, signal: this.#signal() }),
    );
  }

  /** The lists of a page for a user, none with a product of another. */
  async page(
    query: {
      user_id: string;
      page: string;
      cart?: string[];
      product_id?: string;
      placements: ListRequest[];
    },
    signal?: AbortSignal,
  ): Promise<PlacementList[]> {
    const request = this.#client.POST('/v1/page', { body: query, signal: this.#signal(signal) });
    return (await this.#data(request)).placements;
  }

  /** A placement's list for a user, with the rules in effect and with those of `body`; nothing is
   * recorded. */
  async previewPlacement(name: string, body: PreviewRequest): Promise<Preview> {
    const options = { params: { path: { name } }, body, signal: this.#signal() };
    return this.#data(this.#client.POST('/v1/placements/{name}/preview', options));
  }

  async placements(): Promise<Placements> {
    return this.#data(this.#client.GET('/v1/placements', { signal: this.#signal() }));
  }

  /** The versions of the placements, the newest first. */
  async placementHistory(): Promise<DocumentVersion[]> {
    const request = this.#client.GET('/v1/placements/history', { signal: this.#signal() });
    return (await this.#data(request)).versions;
  }

  /** Creates or replaces a placement, if the document still has that version. */
  async putPlacement(name: string, body: Placement, version: number): Promise<Placement> {
    const params = { path: { name }, header: { 'If-Match': `"${version}"` } };
    const options = { params, body, signal: this.#signal() };
    return this.#data(this.#client.PUT('/v1/placements/{name}', options));
  }

  /** Puts back the placements of an earlier version. */
  async undoPlacements(version: number): Promise<Placements> {
    const request = { body: { version }, signal: this.#signal() };
    return this.#data(this.#client.POST('/v1/placements/undo', request));
  }

  /** The rules, and those that contradict one another. */
  async rules(): Promise<Rules> {
    return this.#data(this.#client.GET('/v1/rules', { signal: this.#signal() }));
  }

  /** The versions of the rules, the newest first. */
  async ruleHistory(): Promise<DocumentVersion[]> {
    const request = this.#client.GET('/v1/rules/history', { signal: this.#signal() });
    return (await this.#data(request)).versions;
  }

  /** Adds or replaces a rule, if the document still has that version. */
  async putRule(body: Rule, version: number): Promise<void> {
    const params = { path: { id: body.id }, header: { 'If-Match': `"${version}"` } };
    const options = { params, body, signal: this.#signal() };
    await this.#data(this.#client.PUT('/v1/rules/{id}', options));
  }

  /** Removes a rule, if the document still has that version. */
  async deleteRule(id: string, version: number): Promise<void> {
    const params = { path: { id }, header: { 'If-Match': `"${version}"` } };
    await this.#empty(this.#client.DELETE('/v1/rules/{id}', { params, signal: this.#signal() }));
  }

  /** Puts back the rules of an earlier version. */
  async undoRules(version: number): Promise<Rules> {
    const request = { body: { version }, signal: this.#signal() };
    return this.#data(this.#client.POST('/v1/rules/undo', request));
  }

  /** What shoppers searched for in the last days. */
  async searchQueries(days: number): Promise<SearchQueries> {
    const params = { query: { days } };
    return this.#data(this.#client.GET('/v1/search/queries', { params, signal: this.#signal() }));
  }

  async synonyms(): Promise<Synonyms> {
    return this.#data(this.#client.GET('/v1/synonyms', { signal: this.#signal() }));
  }

  /** The versions of the synonyms, the newest first. */
  async synonymHistory(): Promise<DocumentVersion[]> {
    const request = this.#client.GET('/v1/synonyms/history', { signal: this.#signal() });
    return (await this.#data(request)).versions;
  }

  /** Replaces all synonyms, if the document still has that version. */
  async putSynonyms(groups: string[], version: number): Promise<Synonyms> {
    const params = { header: { 'If-Match': `"${version}"` } };
    const options = { params, body: { groups }, signal: this.#signal() };
    return this.#data(this.#client.PUT('/v1/synonyms', options));
  }

  /** Puts back the synonyms of an earlier version. */
  async undoSynonyms(version: number): Promise<Synonyms> {
    const request = { body: { version }, signal: this.#signal() };
    return this.#data(this.#client.POST('/v1/synonyms/undo', request));
  }

  async departments(): Promise<Department[]> {
    const request = this.#client.GET('/v1/departments', { signal: this.#signal() });
    return (await this.#data(request)).departments;
  }

  /** Products, most popular first. */
  async products(query: ProductQuery, signal?: AbortSignal): Promise<Products> {
    return this.#data(
      this.#client.GET('/v1/products', { params: { query }, signal: this.#signal(signal) }),
    );
  }

  /** The products that fit the words of a search, with facets and corrections. */
  async search(query: ShopSearch, signal?: AbortSignal): Promise<SearchResults> {
    return this.#data(
      this.#client.GET('/v1/search', { params: { query }, signal: this.#signal(signal) }),
    );
  }

  async product(id: string, signal?: AbortSignal): Promise<Product> {
    const path = { id };
    return this.#data(
      this.#client.GET('/v1/products/{id}', { params: { path }, signal: this.#signal(signal) }),
    );
  }

  /** Products often bought together with product `id`. */
  async similar(id: string, limit: number): Promise<Recommendation[]> {
    const params = { path: { id }, query: { limit } };
    const request = this.#client.GET('/v1/products/{id}/similar', {
      params,
      signal: this.#signal(),
    });
    return (await this.#data(request)).recommendations;
  }

  /** The most bought products, overall or in one department or aisle. */
  async popular(
    limit: number,
    filter: { department?: string; aisle?: string } = {},
  ): Promise<Recommendation[]> {
    const params = { query: { limit, ...filter } };
    const request = this.#client.GET('/v1/popular', { params, signal: this.#signal() });
    return (await this.#data(request)).recommendations;
  }

  /** Example users that have a purchase history. */
  async users(limit: number): Promise<UserSummary[]> {
    const params = { query: { limit } };
    const request = this.#client.GET('/v1/users', { params, signal: this.#signal() });
    return (await this.#data(request)).users;
  }

  /** The server's copy of a shopper's cart. */
  async cart(userId: string): Promise<Cart> {
    const params = { path: { id: userId } };
    return this.#data(this.#client.GET('/v1/users/{id}/cart', { params, signal: this.#signal() }));
  }

  /** A shopper's orders of the last days, and the products bought before. */
  async orders(userId: string): Promise<Orders> {
    const options = { params: { path: { id: userId } }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/users/{id}/orders', options));
  }

  async user(userId: string): Promise<UserDetail> {
    const params = { path: { id: userId } };
    return this.#data(this.#client.GET('/v1/users/{id}', { params, signal: this.#signal() }));
  }

  /** Products of the catalogue, also those that shoppers do not see. */
  async catalogue(query: CatalogueQuery): Promise<CataloguePage> {
    const options = { params: { query }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/catalogue/products', options));
  }

  async catalogueProduct(id: string): Promise<CatalogueEntry> {
    const options = { params: { path: { id } }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/catalogue/products/{id}', options));
  }

  /**
   * Changes fields of a product; null removes a field. With an entity tag, the server refuses
   * with status 412 if the product has changed since.
   */
  async patchProduct(
    id: string,
    body: Partial<CatalogueProduct>,
    etag: string | null,
  ): Promise<CatalogueProduct> {
    const header = etag === null ? {} : { 'If-Match': etag };
    const options = { params: { path: { id }, header }, body, signal: this.#signal() };
    return this.#data(this.#client.PATCH('/v1/products/{id}', options));
  }

  /** Creates or replaces a product. */
  async putProduct(body: CatalogueProduct): Promise<CatalogueProduct> {
    const params = { path: { id: body.product_id } };
    const request = this.#client.PUT('/v1/products/{id}', { params, body, signal: this.#signal() });
    return this.#data(request);
  }

  /** Removes a product; an unknown one is ignored from then on. */
  async deleteProduct(id: string): Promise<void> {
    const options = { params: { path: { id } }, signal: this.#signal() };
    await this.#empty(this.#client.DELETE('/v1/products/{id}', options));
  }

  /** Products that only events name, the most named first. */
  async unknownProducts(): Promise<UnknownProducts> {
    return this.#data(this.#client.GET('/v1/catalogue/unknown', { signal: this.#signal() }));
  }

  /** The server's readiness. A 503 from `/readyz` carries it too and is not an error. */
  async ready(): Promise<Readiness> {
    const request = this.#client.GET('/readyz', { signal: this.#signal() });
    return this.#data(
      request.then(({ data, error, response }) => {
        const unready = response.status === 503 ? (error as Readiness) : undefined;
        const readiness = data ?? unready;
        return readiness === undefined ? { error, response } : { data: readiness, response };
      }),
    );
  }

  /** Calls `onUpdate` once a second until the signal aborts or the stream ends. */
  async live(onUpdate: (live: Live) => void, signal: AbortSignal): Promise<void> {
    await this.#stream('/v1/live', signal, (data) => onUpdate(JSON.parse(data) as Live));
  }

  /** The state machine, in the Amazon States Language. */
  async definition(): Promise<unknown> {
    return this.#data(this.#client.GET('/v1/pipeline/definition', { signal: this.#signal() }));
  }

  async executions(): Promise<Executions> {
    return this.#data(this.#client.GET('/v1/pipeline/executions', { signal: this.#signal() }));
  }

  async execution(name: string): Promise<Run> {
    const options = { params: { path: { name } }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/pipeline/executions/{name}', options));
  }

  /** Calls `onUpdate` with the run after each change, until the run ends. */
  async follow(name: string, onUpdate: (run: Run) => void, signal: AbortSignal): Promise<void> {
    const path = `/v1/pipeline/executions/${encodeURIComponent(name)}/events`;
    await this.#stream(path, signal, (data) => onUpdate(JSON.parse(data) as Run));
  }

  async logs(name: string): Promise<LogLine[]> {
    const options = { params: { path: { name } }, signal: this.#signal() };
    const logs = this.#client.GET('/v1/pipeline/executions/{name}/logs', options);
    return (await this.#data(logs)).lines;
  }

  /** Starts a run and returns its name. `hyperparameters` override the definition's. */
  async start(hyperparameters: Record<string, string> = {}): Promise<string> {
    const options = { body: { hyperparameters }, signal: this.#signal() };
    return (await this.#data(this.#client.POST('/v1/pipeline/executions', options))).name;
  }

  async stop(name: string): Promise<string> {
    const options = { params: { path: { name } }, signal: this.#signal() };
    const stopped = this.#client.POST('/v1/pipeline/executions/{name}/stop', options);
    return (await this.#data(stopped)).name;
  }

  async redrive(name: string): Promise<string> {
    const options = { params: { path: { name } }, signal: this.#signal() };
    const redriven = this.#client.POST('/v1/pipeline/executions/{name}/redrive', options);
    return (await this.#data(redriven)).name;
  }

  /** Every model, newest first. */
  async models(): Promise<Model[]> {
    const request = this.#client.GET('/v1/models', { signal: this.#signal() });
    return (await this.#data(request)).models;
  }

  async model(version: string): Promise<ModelDetail> {
    const options = { params: { path: { version } }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/models/{version}', options));
  }

  async deploy(version: string): Promise<Release> {
    const options = { params: { path: { version } }, signal: this.#signal() };
    return this.#data(this.#client.POST('/v1/models/{version}/deploy', options));
  }

  async rollback(): Promise<Release> {
    return this.#data(this.#client.POST('/v1/models/rollback', { signal: this.#signal() }));
  }

  async lake(): Promise<Lake> {
    return this.#data(this.#client.GET('/v1/lake', { signal: this.#signal() }));
  }

  async lakeTable(name: string): Promise<LakeTableDetail> {
    const options = { params: { path: { name } }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/lake/tables/{name}', options));
  }

  async lakeJob(): Promise<LakeJob | null> {
    const request = this.#client.GET('/v1/lake/job', { signal: this.#signal() });
    return (await this.#data(request)).job ?? null;
  }

  async startLakeJob(body: StartImport | StartGenerate): Promise<LakeJob> {
    return this.#data(this.#client.POST('/v1/lake/job', { body, signal: this.#signal() }));
  }

  /** The open import, and what the server imports. */
  async imports(): Promise<FileImports> {
    return this.#data(this.#client.GET('/v1/imports', { signal: this.#signal() }));
  }

  /** Uploads the file of an import, which is open from then on. */
  async upload(
    kind: ImportKind,
    file: File,
    onSent: (sent: Sent) => void,
    signal: AbortSignal,
  ): Promise<FileImport> {
    const query = new URLSearchParams({ kind, name: file.name.slice(0, 200) });
    let response: Response;
    try {
      response = await send(`${this.#base}/v1/imports?${query}`, file, this.key, onSent, signal);
    } catch (error) {
      throw failure(error, this.#timeoutMs);
    }
    const data = parseJson(await response.text());
    return this.#data(
      Promise.resolve(
        response.ok ? { data: data as FileImport, response } : { error: data, response },
      ),
    );
  }

  async import(id: string): Promise<FileImport> {
    const options = { params: { path: { id } }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/imports/{id}', options));
  }

  /** Reads the file of an import with another mapping. */
  async previewImport(id: string, body: ImportMapping): Promise<FileImport> {
    const options = { params: { path: { id } }, body, signal: this.#signal() };
    return this.#data(this.#client.POST('/v1/imports/{id}/preview', options));
  }

  async startImport(id: string, body: StartFileImport): Promise<FileImport> {
    const options = { params: { path: { id } }, body, signal: this.#signal() };
    return this.#data(this.#client.POST('/v1/imports/{id}/start', options));
  }

  /** Stops an import and removes its file. */
  async discardImport(id: string): Promise<void> {
    const options = { params: { path: { id } }, signal: this.#signal() };
    await this.#empty(this.#client.DELETE('/v1/imports/{id}', options));
  }

  /** What followed from recommendations; of all placements if `placement` is empty. */
  async quality(days: number, placement = ''): Promise<Quality> {
    const params = { query: placement === '' ? { days } : { days, placement } };
    return this.#data(this.#client.GET('/v1/quality', { params, signal: this.#signal() }));
  }

  /** What followed from recommendations by product, the highest figures of `sort` first. */
  async qualityByProduct(days: number, sort: string): Promise<ProductsQuality> {
    const params = { query: { days, sort, limit: 50 } };
    return this.#data(this.#client.GET('/v1/quality/products', { params, signal: this.#signal() }));
  }

  /** What followed from the recommendations of a product. */
  async productQuality(id: string, days: number): Promise<ProductQuality> {
    const options = { params: { path: { id }, query: { days } }, signal: this.#signal() };
    return this.#data(this.#client.GET('/v1/quality/products/{id}', options));
  }

  /** An earlier answer, computed again. */
  async replay(id: string): Promise<Replay> {
    const params = { path: { id } };
    return this.#data(
      this.#client.GET('/v1/recommendations/{id}/replay', { params, signal: this.#signal() }),
    );
  }

  #signal(signal?: AbortSignal): AbortSignal {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    return signal ? AbortSignal.any([signal, timeout]) : timeout;
  }

  async #data<T>(request: Promise<ClientResult<T>>): Promise<T> {
    return (await this.#result(request)).data;
  }

  /** Waits for a response without a body. */
  async #empty(request: Promise<{ error?: unknown; response: Response }>): Promise<void> {
    await this.#data(
      request.then(({ error, response }) => ({
        error,
        response,
        ...(response.ok ? { data: {} } : {}),
      })),
    );
  }

  async #result<T>(request: Promise<ClientResult<T>>): Promise<{ data: T; response: Response }> {
    let result: ClientResult<T>;
    try {
      result = await request;
    } catch (error) {
      throw failure(error, this.#timeoutMs);
    }
    const { data, error, response } = result;
    if (!response.ok && data === undefined) throw refusal(response, error);
    if (typeof data !== 'object' || data === null) {
      throw new ApiError('invalid', "The server's response is not a JSON object.", response.status);
    }
    return { data, response };
  }

  async #stream(path: string, signal: AbortSignal, onData: (data: string) => void): Promise<void> {
    let response: Response;
    try {
      const url = new URL(this.#base + path, globalThis.location?.href);
      response = await this.#fetch(new Request(url, { signal }));
      if (response.ok && response.body) {
        await readEvents(response.body, (_event, data) => onData(data));
        return;
      }
    } catch (error) {
      throw failure(error, this.#timeoutMs);
    }
    throw refusal(response, parseJson(await response.text()));
  }
}

/** The JSON value of `body`; undefined if `body` is not JSON. */
function parseJson(body: string): unknown {
  try {
    const value: unknown = JSON.parse(body);
    return value;
  } catch {
    return undefined;
  }
}
