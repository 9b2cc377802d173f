/** What a page asks the server for: on its way, here, or failed. */
import type { ApiError } from './api';
import type { App } from './app.svelte';

export class Loaded<T> {
  readonly #app: App;
  readonly #ask: () => Promise<T>;
  #asked = 0;

  value = $state.raw<T | null>(null);
  failure = $state.raw<ApiError | null>(null);

  constructor(app: App, ask: () => Promise<T>) {
    this.#app = app;
    this.#ask = ask;
  }

  /** Asks, and keeps what is here until the answer comes. Never throws. */
  async load(): Promise<void> {
    const asked = (this.#asked += 1);
    try {
      const value = await this.#ask();
      // A later question has the last word.
      if (asked !== this.#asked) return;
      this.value = value;
      this.failure = null;
    } catch (error) {
      if (asked === this.#asked) this.failure = this.#app.failed(error);
    }
  }
}
