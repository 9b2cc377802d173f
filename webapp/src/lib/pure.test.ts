import { describe, expect, it } from 'vitest';
import { loadConfig } from './config';
import { count, percent } from './format';
import { newId, uuid4 } from './ids';
import { loadCarts, MAX_USERS, saveCart } from './storage';
import { GLYPHS, glyphOf, TILE_COLOURS, tileOf } from './tile';

it.each([
  [0, '0.0 %'],
  [0.0004, '< 0.1 %'],
  [0.034, '3.4 %'],
  [0.0996, '10 %'],
  [0.625, '63 %'],
  [1, '100 %'],
  [1.7, '100 %'],
  [-1, '0.0 %'],
])('shows %d as %s', (probability, shown) => {
  expect(percent(probability)).toBe(shown);
});

it('counts in words', () => {
  expect(count(1, 'order')).toBe('1 order');
  expect(count(1200, 'order')).toBe('1,200 orders');
});

describe('ids', () => {
  const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  it('are version 4 UUIDs, each another', () => {
    expect(newId()).toMatch(shape);
    expect(newId()).not.toBe(newId());
  });
  it('are well formed whatever the random bytes', () => {
    expect(uuid4(new Uint8Array(16))).toBe('00000000-0000-4000-8000-000000000000');
    expect(uuid4(new Uint8Array(16).fill(255))).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff');
  });
});

describe('tiles', () => {
  it('draw by aisle, then by department', () => {
    expect(glyphOf('fresh fruits', 'produce')).toBe('apple');
    expect(glyphOf('eggs', 'dairy eggs')).toBe('egg');
    expect(glyphOf('unheard of', 'bakery')).toBe('bread');
    expect(glyphOf('', '')).toBe('box');
  });
  it('are the same for the same product and within bounds', () => {
    const tile = tileOf('Banana', 'fresh fruits', 'produce');
    expect(tileOf('Banana', 'fresh fruits', 'produce')).toEqual(tile);
    for (const name of ['', 'Ä', 'x'.repeat(500)]) {
      const { colour, glyph, shade } = tileOf(name, name, name);
      expect(colour).toBeGreaterThanOrEqual(0);
      expect(colour).toBeLessThan(TILE_COLOURS);
      expect(GLYPHS).toContain(glyph);
      expect(shade.r).toBeGreaterThan(0);
    }
  });
});

describe('remembered carts', () => {
  function memory(start?: string) {
    let kept = start ?? null;
    return {
      getItem: () => kept,
      setItem: (_: string, value: string) => {
        kept = value;
      },
    };
  }
  const cart = (user_id: string) => ({
    user_id,
    lines: [{ product_id: 'a', quantity: 1 }],
    products: [{ product_id: 'a', product_name: 'A', aisle: '', department: '' }],
  });

  it('come back, newest first, and an empty one is forgotten', () => {
    const store = memory();
    saveCart(store, cart('1'));
    saveCart(store, cart('2'));
    expect(loadCarts(store)).toEqual([cart('2'), cart('1')]);
    saveCart(store, { ...cart('2'), lines: [] });
    expect(loadCarts(store)).toEqual([cart('1')]);
  });

  it('are bounded', () => {
    const store = memory();
    for (let user = 0; user < MAX_USERS + 5; user += 1) saveCart(store, cart(String(user)));
    expect(loadCarts(store)).toHaveLength(MAX_USERS);
  });

  it.each(['no json', '{}', '[1, null]', '[{"user_id":1}]', '[{"user_id":"1","lines":[{}]}]'])(
    'ignore %s',
    (text) => expect(loadCarts(memory(text))).toEqual([]),
  );

  it('do without storage that throws', () => {
    const full = {
      getItem: () => null,
      setItem: () => {
        throw new Error('full');
      },
    };
    expect(() => saveCart(full, cart('1'))).not.toThrow();
  });
});

it('reads where the API is, and stays on its own origin otherwise', async () => {
  const answers = (text: string, status = 200) =>
    loadConfig(() => Promise.resolve(new Response(text, { status })));
  expect(await answers('{"apiBase":"https://api.example"}')).toEqual({
    apiBase: 'https://api.example',
    apiKey: '',
  });
  for (const [text, status] of [
    ['{"apiBase":7}', 200],
    ['oops', 200],
    ['{"apiBase":"https://x"}', 404],
  ] as const) {
    expect(await answers(text, status)).toEqual({ apiBase: '', apiKey: '' });
  }
  expect(await loadConfig(() => Promise.reject(new TypeError('offline')))).toEqual({
    apiBase: '',
    apiKey: '',
  });
});
