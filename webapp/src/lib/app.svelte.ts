/** State that every page shares: API client, router, connection and API key dialog. */
import type { Api } from './api';
import { ApiError, asApiError } from './api-error';
import { Router } from './router.svelte';
import type { Readiness } from './types';

/** Milliseconds between checks of the server's readiness. */
const POLL_MS = 15_000;
/** The same while the server is unreachable. */
const RETRY_MS = 2_000;

export type Connection = { state: 'unknown' } | { state: 'down' } | ({ state: 'up' } & Readiness);

export class App {
  readonly api: Api;
  readonly router = new Router();
  connection = $state.raw<Connection>({ state: 'unknown' });
  /** Message of the API key dialog; null while the dialog is closed. */
  keyPrompt = $state<string | null>(null);
  /** Why the server answers nobody without a key; null while it answers. Set by the shop's pages. */
  closed = $state<string | null>(null);
  /** Counts the keys entered; pages load again when it changes. */
  keyVersion = $state(0);

  constructor(api: Api) {
    this.api = api;
  }

  get down(): boolean {
    return this.connection.state === 'down';
  }

  /** How operators do what this server does not do, as sentences; null if it does everything. */
  get operatedBy(): string | null {
    return (this.connection.state === 'up' && this.connection.operated_by) || null;
  }

  /** Polls the server's readiness until the returned function is called. */
  watch(): () => void {
    let timer: ReturnType<typeof setTimeout>;
    const poll = async (): Promise<void> => {
      if (document.visibilityState === 'visible') await this.checkConnection();
      timer = setTimeout(() => void poll(), this.down ? RETRY_MS : POLL_MS);
    };
    const check = (): void => void this.checkConnection();
    window.addEventListener('online', check);
    window.addEventListener('offline', check);
    void poll();
    return () => {
      clearTimeout(timer);
      window.removeEventListener('online', check);
      window.removeEventListener('offline', check);
    };
  }

  async checkConnection(): Promise<void> {
    try {
      this.connection = { state: 'up', ...(await this.api.ready()) };
    } catch {
      this.connection = { state: 'down' };
    }
  }

  /** Uses `key` for all further requests, until the page is closed. */
  useKey(key: string): void {
    this.api.key = key.trim();
    this.keyPrompt = null;
    this.closed = null;
    this.keyVersion += 1;
    // With a key, the server tells more.
    void this.checkConnection();
  }

  /**
   * Converts a thrown value to an {@link ApiError}. Asks operators for an API key after a 401 or
   * 403, tells shoppers that the shop is closed to them after a 401, and checks the connection after a network failure or timeout. Never throws.
   */
  handleError(error: unknown): ApiError {
    const failure = asApiError(error);
    const isOperator = /^\/(console|send)(\/|$)/.test(this.router.path);
    if (failure.status === 401 && !isOperator) this.closed = failure.message;
    else if (failure.status === 401 || failure.status === 403) this.keyPrompt = failure.message;
    if (failure.kind === 'network' || failure.kind === 'timeout') void this.checkConnection();
    return failure;
  }
}
