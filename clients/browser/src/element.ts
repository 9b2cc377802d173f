/**
 * `<cartwheel-list placement="product" product="12" limit="4">`: renders a placement with the
 * page's own template and styles, in the page's own tree. Its other content is the fallback.
 */
import { ask, type List } from './lists';
import { watch } from './seen';
import { found } from './track';

type Item = List['recommendations'][number];

/** After how many milliseconds the fallback is shown for good, unless `wait` says otherwise. */
const PATIENCE_MS = 300;
/** What of a product an element of the template may take over, and where it puts it. */
const BINDINGS = ['text', 'href', 'src', 'alt', 'title', 'add'] as const;

/** The text of a product's field. Prices are written as the page's language does. */
function value(item: Item, field: string): string | undefined {
  const raw = (item as unknown as Record<string, unknown>)[field];
  if (raw === undefined || raw === null) return undefined;
  const text = String(raw);
  if (!field.endsWith('price') || !item.currency) return text;
  const style = { style: 'currency', currency: item.currency } as const;
  return new Intl.NumberFormat(document.documentElement.lang || undefined, style).format(
    Number(text),
  );
}

/** Whether an address may be linked to: no script. */
function isPlain(address: string): boolean {
  try {
    return /^https?:$/.test(new URL(address, location.href).protocol);
  } catch {
    return false;
  }
}

function fill(content: DocumentFragment, item: Item): void {
  for (const kind of BINDINGS) {
    for (const element of content.querySelectorAll<HTMLElement>(`[data-cartwheel-${kind}]`)) {
      const field = element.getAttribute(`data-cartwheel-${kind}`) || 'product_id';
      const attribute = kind === 'add' ? 'data-cartwheel-add' : kind;
      const text = value(item, field);
      const isLink = kind === 'href' || kind === 'src';
      if (text !== undefined && (!isLink || isPlain(text))) {
        if (kind === 'text') element.textContent = text;
        else element.setAttribute(attribute, text);
      } else if (kind === 'text' ? !element.textContent?.trim() : !element.hasAttribute(kind)) {
        // Neither the product nor the template says anything. A link may still have a text.
        if (kind !== 'href' || !element.hasAttribute('data-cartwheel-text')) element.remove();
      }
    }
  }
}

export class CartwheelList extends HTMLElement {
  static observedAttributes = ['placement', 'product', 'limit'];

  #list: HTMLUListElement | undefined;
  #asked = 0;

  connectedCallback(): void {
    if (!this.#list) void this.#fill(true);
  }

  attributeChangedCallback(_: string, before: string | null): void {
    if (before !== null && this.isConnected) void this.refresh();
  }

  /** Asks again, for example after a change of the cart. The old list stays until the answer. */
  refresh(): Promise<void> {
    return this.#fill(false);
  }

  get #template(): HTMLTemplateElement | null {
    const id = this.getAttribute('template');
    const found = id ? document.getElementById(id) : this.querySelector(':scope > template');
    return found instanceof HTMLTemplateElement ? found : null;
  }

  get #fallback(): HTMLElement[] {
    return [...this.children].filter(
      (child): child is HTMLElement =>
        child instanceof HTMLElement &&
        child !== this.#list &&
        !(child instanceof HTMLTemplateElement),
    );
  }

  async #fill(isFirst: boolean): Promise<void> {
    const name = this.getAttribute('placement');
    const template = this.#template;
    if (!name || !template) return;
    const product = this.getAttribute('product');
    const limit = Number(this.getAttribute('limit')) || undefined;
    const turn = (this.#asked += 1);
    const fallback = this.#fallback;
    let late = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (isFirst) {
      this.#reserve(template, fallback, limit ?? 0);
      // Without a fallback, the room stays reserved for an answer that comes later.
      if (fallback.length > 0) {
        timer = setTimeout(
          () => {
            late = true;
            this.#end('fallback');
          },
          Number(this.getAttribute('wait') ?? PATIENCE_MS),
        );
      }
    }
    const list = await ask({
      name,
      ...(product ? { product_id: product } : {}),
      ...(limit ? { limit } : {}),
    });
    clearTimeout(timer);
    if (late || turn !== this.#asked) return;
    if (list && list.recommendations.length > 0) this.#show(template, list);
    else if (this.getAttribute('state') === 'waiting') {
      this.#end(fallback.length > 0 ? 'fallback' : 'empty');
    }
  }

  /** Keeps the room of the fallback, or of as many empty products, until the answer. */
  #reserve(template: HTMLTemplateElement, fallback: HTMLElement[], limit: number): void {
    if (getComputedStyle(this).display === 'inline') this.style.display = 'block';
    this.setAttribute('aria-busy', 'true');
    this.setAttribute('state', 'waiting');
    for (const element of fallback) element.style.visibility = 'hidden';
    if (fallback.length > 0 || limit === 0) return;
    const list = this.#newList();
    list.style.visibility = 'hidden';
    for (let count = 0; count < limit; count += 1) {
      const item = document.createElement('li');
      item.append(template.content.cloneNode(true));
      list.append(item);
    }
    this.append(list);
    this.#list = list;
  }

  #newList(): HTMLUListElement {
    const list = document.createElement('ul');
    list.className = 'cartwheel-items';
    const label = this.getAttribute('label');
    if (label) list.setAttribute('aria-label', label);
    return list;
  }

  #show(template: HTMLTemplateElement, { recommendation_id, recommendations }: List): void {
    const list = this.#newList();
    for (const item of recommendations) {
      const entry = document.createElement('li');
      const content = template.content.cloneNode(true) as DocumentFragment;
      fill(content, item);
      entry.append(content);
      // Before the document's listener, which reports an addition to the cart.
      entry.addEventListener('click', () => found(item.product_id, recommendation_id));
      watch(entry, recommendation_id, item.product_id);
      list.append(entry);
    }
    // A shorter list leaves room rather than moving what follows it.
    this.style.minHeight = `${this.offsetHeight}px`;
    for (const element of this.#fallback) element.remove();
    this.#list?.remove();
    this.#list = list;
    this.append(list);
    this.#end('list');
    this.dispatchEvent(
      new CustomEvent('cartwheel:list', {
        bubbles: true,
        detail: recommendations,
      }),
    );
  }

  #end(state: 'list' | 'fallback' | 'empty'): void {
    this.removeAttribute('aria-busy');
    this.setAttribute('state', state);
    if (state === 'fallback') for (const element of this.#fallback) element.style.visibility = '';
  }
}
