/** The tag: `<script src="https://…/cartwheel.js" data-key="cwp_…" async></script>`. */
import { warn } from './config';
import { CartwheelList } from './element';
import { listen } from './listen';
import { flush, leave, put } from './outbox';
import { report } from './seen';
import { anonymousId, forget } from './shopper';
import { setConsent } from './storage';
import { cart, checkout, identify, view, type Product } from './track';

type Amount = Omit<Product, 'product_id'>;

/** What a page may call, by `cartwheel.view('12')` or, before the tag is there, in a list. */
const calls = {
  view,
  add: (product: string, amount: Amount = {}) =>
    cart('add_to_cart', [{ ...amount, product_id: product }], 'call'),
  remove: (product: string, amount: Amount = {}) =>
    cart('remove_from_cart', [{ ...amount, product_id: product }], 'call'),
  checkout,
  search: (query: string) => put({ event: 'search', query: query.slice(0, 200) }),
  identify,
  /** Starts afresh as another guest, after a logout. */
  reset: forget,
  /** What the shopper has decided about being followed. */
  consent(granted: boolean): void {
    setConsent(granted);
    void flush();
  },
  anonymousId,
  flush,
};

type Call = [name: keyof typeof calls, ...args: never[]];

function run([name, ...args]: Call): void {
  const call = calls[name] as ((...args: never[]) => unknown) | undefined;
  if (call) call(...args);
  else warn('there is no', name);
}

function start(): void {
  const page = window as { cartwheel?: unknown };
  const early = Array.isArray(page.cartwheel) ? (page.cartwheel as Call[]) : [];
  page.cartwheel = { ...calls, push: (...all: Call[]) => all.forEach(run) };
  early.forEach(run);
  listen();
  customElements.define('cartwheel-list', CartwheelList);
  void flush();
}

function left(): void {
  report();
  leave();
}

addEventListener('online', () => void flush());
addEventListener('pagehide', left);
document.addEventListener(
  'visibilitychange',
  () => document.visibilityState === 'hidden' && left(),
);
if (customElements.get('cartwheel-list')) warn('the tag is in the page twice');
else if (document.readyState === 'loading') addEventListener('DOMContentLoaded', start);
else start();
