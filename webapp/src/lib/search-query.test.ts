import { describe, expect, it } from 'vitest';
import { readSearch, searchHref } from './search-query';

const read = (text: string) => readSearch(new URLSearchParams(text));

describe('a search in the address bar', () => {
  it('is read back as it was written', () => {
    const query = { q: 'oat & rye', brand: 'Mill & Co', max_price: '2.40', sort: '-price' };
    const href = searchHref({ ...query, in_stock: true });
    expect(href.startsWith('/search?')).toBe(true);
    expect(read(href.slice('/search?'.length))).toEqual({ ...query, in_stock: true });
  });

  it('loses a filter that is removed', () => {
    const query = read('q=tea&brand=Leaf&in_stock=true');
    expect(searchHref(query, { brand: undefined, in_stock: false })).toBe('/search?q=tea');
  });

  it('ignores what it does not know', () => {
    expect(read('q=tea&sort=best&colour=red&brand=&in_stock=1')).toEqual({ q: 'tea' });
    expect(read('')).toEqual({ q: '' });
  });
});
