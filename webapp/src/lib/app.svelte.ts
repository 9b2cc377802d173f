/** What every page shares: the client, the key, whether the server answers. */
import { ApiError, asApiError, type Api } from './api';
import { Router } from './router.svelte';
import type { Readiness } from './types';

/** How often the server is asked whether it is ready, in milliseconds. */
const READY_EVERY_MS = 15_000;
/** The same while it does not answer. */
const RETRY_EVERY_MS = 2_000;

export type Connection = { state: 'unknown' } | { state: 'down' } | ({ state: 'up' } & Readiness);

export class App {
  readonly api: Api;
  readonly router = new Router();
  connection = $state.raw<Connection>({ state: 'unknown' });
  /** Why a key is asked for; null while none is. */
  keyWanted = $state<string | null>(null);
  /** Counts the keys given, so that pages ask again with a new one. */
  keyGiven = $state(0);

  constructor(api: Api) {
    this.api = api;
  }

  get down(): boolean {
    return this.connection.state === 'down';
  }

  /** Asks the server now, and again and again until the returned function is called. */
  watch(): () => void {
    let timer: ReturnType<typeof setTimeout>;
    const look = async (): Promise<void> => {
      if (document.visibilityState === 'visible') await this.checkConnection();
      timer = setTimeout(() => void look(), this.down ? RETRY_EVERY_MS : READY_EVERY_MS);
    };
    const online = (): void => void this.checkConnection();
    window.addEventListener('online', online);
    window.addEventListener('offline', online);
    void look();
    return () => {
      clearTimeout(timer);
      window.removeEventListener('online', online);
      window.removeEventListener('offline', online);
    };
  }

  async checkConnection(): Promise<void> {
    try {
      this.connection = { state: 'up', ...(await this.api.ready()) };
    } catch {
      this.connection = { state: 'down' };
    }
  }

  /** Takes a key; it is forgotten with the page. */
  useKey(key: string): void {
    this.api.key = key.trim();
    this.keyWanted = null;
    this.keyGiven += 1;
  }

  /** What failed, with a key asked for where one is missing. Never throws. */
  failed(error: unknown): ApiError {
    const failure = asApiError(error);
    if (failure.status === 401 || failure.status === 403) this.keyWanted = failure.message;
    if (failure.kind === 'network' || failure.kind === 'timeout') void this.checkConnection();
    return failure;
  }
}
