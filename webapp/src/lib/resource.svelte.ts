/** A value that a page loads from the server: loading, loaded or failed. */
import type { ApiError } from './api-error';
import type { App } from './app.svelte';

export class Resource<T> {
  readonly #app: App;
  readonly #fetch: () => Promise<T>;
  #requests = 0;

  value = $state.raw<T | null>(null);
  failure = $state.raw<ApiError | null>(null);

  constructor(app: App, fetch: () => Promise<T>) {
    this.#app = app;
    this.#fetch = fetch;
  }

  /** Loads the value, and keeps the previous one until then. Never throws. */
  async load(): Promise<void> {
    const request = (this.#requests += 1);
    try {
      const value = await this.#fetch();
      // A newer request takes precedence.
      if (request !== this.#requests) return;
      this.value = value;
      this.failure = null;
    } catch (error) {
      if (request === this.#requests) this.failure = this.#app.handleError(error);
    }
  }
}
