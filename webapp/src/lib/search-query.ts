/** A search of the shop as the address bar holds it. */

/** The orders of results with their names. */
export const SORTS = [
  ['relevance', 'Most relevant'],
  ['popular', 'Best sellers'],
  ['price', 'Lowest price'],
  ['-price', 'Highest price'],
  ['newest', 'Newest'],
] as const;

/** A search: words, filters and order. Filters that are absent restrict nothing. */
export interface SearchQuery {
  q: string;
  department?: string;
  aisle?: string;
  brand?: string;
  min_price?: string;
  max_price?: string;
  in_stock?: boolean;
  sort?: string;
}

/** Parameters of a search to replace; `undefined` removes one. */
export type SearchChange = { [Name in keyof SearchQuery]?: SearchQuery[Name] | undefined };

/** Reads a search from the query of an address; what it does not know is left out. */
export function readSearch(params: URLSearchParams): SearchQuery {
  const query: SearchQuery = { q: params.get('q') ?? '' };
  for (const name of ['department', 'aisle', 'brand', 'min_price', 'max_price'] as const) {
    const value = params.get(name);
    if (value) query[name] = value;
  }
  if (params.get('in_stock') === 'true') query.in_stock = true;
  const sort = params.get('sort');
  if (sort !== 'relevance' && SORTS.some(([name]) => name === sort)) query.sort = sort ?? '';
  return query;
}

/** The address of a search with some parameters replaced. */
export function searchHref(query: SearchQuery, change: SearchChange = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...query, ...change })) {
    if (value !== undefined && value !== false && value !== '') params.set(name, String(value));
  }
  return `/search?${params}`;
}
