/** What the attributes of the tag's own script element say. */

const script = document.currentScript ?? document.querySelector('script[data-cartwheel]');
const data: DOMStringMap = script instanceof HTMLElement ? script.dataset : {};

/** The server: where the script came from, unless `data-url` names another. */
export const base =
  data.url?.replace(/\/+$/, '') ??
  new URL((script as HTMLScriptElement | null)?.src ?? location.href).origin;

/** The publishable key; undefined for a server that needs none. */
export const key = data.key;

/** The name of the page, for figures by page. */
export const page = data.page;

/** Whether the shopper has to agree before anything is stored or sent. */
export const mustAsk = data.consent === 'ask';

/** Which of the page's own data is read beside the attributes. */
export const listens = (source: 'jsonld' | 'datalayer'): boolean =>
  (data.listen ?? 'jsonld datalayer').includes(source);

export function warn(...what: unknown[]): void {
  console.warn('cartwheel:', ...what);
}
