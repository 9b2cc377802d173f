/** Client-side routing: follows links between the app's pages without a reload. */
import { tick } from 'svelte';
import { newId } from './ids';

/** Milliseconds for which a page that is opened again may grow to its former height. */
const RESTORE_MS = 2_000;

/** The current path and query. */
export class Router {
  /** Scroll positions by entry of the browser's history. */
  readonly #positions = new Map<string, number>();
  #entry = newId();
  #restoring: ReturnType<typeof setInterval> | undefined;

  path = $state(window.location.pathname);
  query = $state.raw(new URLSearchParams(window.location.search));

  constructor() {
    // The browser restores too early: products load later.
    window.history.scrollRestoration = 'manual';
    window.history.replaceState({ entry: this.#entry }, '');
    // Nothing scrolls against the visitor.
    for (const moved of ['wheel', 'touchstart', 'keydown']) {
      window.addEventListener(moved, () => clearInterval(this.#restoring), { passive: true });
    }
    window.addEventListener('popstate', (event) => this.#return(event.state));
    document.addEventListener('click', (event) => this.#follow(event));
  }

  /** Opens a page of the app; `replace` adds no entry to the browser's history. */
  go(href: string, { replace = false, keepFocus = false } = {}): void {
    if (replace) {
      window.history.replaceState({ entry: this.#entry }, '', href);
    } else {
      this.#leave();
      this.#entry = newId();
      window.history.pushState({ entry: this.#entry }, '', href);
    }
    const before = this.path;
    this.#read();
    if (this.path === before) return;
    window.scrollTo(0, 0);
    // Screen readers do not notice the new page: move the focus to its beginning.
    if (!keepFocus) void tick().then(() => document.getElementById('main')?.focus());
  }

  #leave(): void {
    clearInterval(this.#restoring);
    this.#positions.set(this.#entry, window.scrollY);
  }

  /** Shows an entry of the history again, at the place where it was left. */
  #return(state: unknown): void {
    this.#leave();
    const known = typeof state === 'object' && state !== null && 'entry' in state;
    this.#entry = known ? String(state.entry) : newId();
    this.#read();
    const top = this.#positions.get(this.#entry) ?? 0;
    const until = Date.now() + RESTORE_MS;
    const restore = (): void => {
      window.scrollTo(0, top);
      if (Math.abs(window.scrollY - top) < 2 || Date.now() > until) clearInterval(this.#restoring);
    };
    this.#restoring = setInterval(restore, 50);
    void tick().then(restore);
  }

  #read(): void {
    this.path = window.location.pathname;
    this.query = new URLSearchParams(window.location.search);
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target !== '' || link.hasAttribute('download')) return;
    const { origin, pathname, search, hash } = new URL(link.href, window.location.href);
    // The server serves /docs; the browser follows links within a page.
    if (origin !== window.location.origin || pathname.startsWith('/docs') || hash !== '') return;
    event.preventDefault();
    this.go(pathname + search);
  }
}

/** The decoded part of `path` after `prefix`; null if `path` has another prefix. */
export function pathAfter(path: string, prefix: string): string | null {
  if (!path.startsWith(prefix)) return null;
  const encoded = path.slice(prefix.length).replace(/\/+$/, '');
  try {
    return decodeURIComponent(encoded);
  } catch {
    return null;
  }
}
