/** Addresses of the app's pages: plain paths, followed without a reload. */
import { tick } from 'svelte';

/** The page's address, in the parts that pages care about. */
export class Router {
  path = $state(window.location.pathname);
  query = $state.raw(new URLSearchParams(window.location.search));

  constructor() {
    window.addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#follow(event));
  }

  /** Goes to a page of the app; `replace` leaves no step in the history. */
  go(href: string, { replace = false, keepFocus = false } = {}): void {
    if (replace) window.history.replaceState(null, '', href);
    else window.history.pushState(null, '', href);
    const before = this.path;
    this.#read();
    if (this.path === before) return;
    window.scrollTo(0, 0);
    // Whoever cannot see the page change is taken to its beginning.
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
    // Files and the API's own pages are the server's.
    if (origin !== window.location.origin || pathname.startsWith('/docs') || hash !== '') return;
    event.preventDefault();
    this.go(pathname + search);
  }
}

/** The parts of `path` after `prefix`, decoded; none where it begins otherwise. */
export function rest(path: string, prefix: string): string | null {
  if (!path.startsWith(prefix)) return null;
  const last = path.slice(prefix.length).replace(/\/+$/, '');
  try {
    return decodeURIComponent(last);
  } catch {
    return null;
  }
}
