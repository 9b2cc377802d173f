/** Client-side routing: follows links between the app's pages without a reload. */
import { tick } from 'svelte';

/** The current path and query. */
export class Router {
  path = $state(window.location.pathname);
  query = $state.raw(new URLSearchParams(window.location.search));

  constructor() {
    window.addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#follow(event));
  }

  /** Opens a page of the app; `replace` adds no entry to the browser's history. */
  go(href: string, { replace = false, keepFocus = false } = {}): void {
    if (replace) window.history.replaceState(null, '', href);
    else window.history.pushState(null, '', href);
    const before = this.path;
    this.#read();
    if (this.path === before) return;
    window.scrollTo(0, 0);
    // Screen readers do not notice the new page: move the focus to its beginning.
    if (!keepFocus) void tick().then(() => document.getElementById('main')?.focus());
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
