/** Product pictures: a drawing by aisle on a colour by department and name. Pure. */

export const GLYPHS = [
  'apple',
  'leaf',
  'bottle',
  'carton',
  'bread',
  'jar',
  'bowl',
  'box',
  'fish',
  'snow',
  'spray',
  'egg',
  'cup',
] as const;
export type Glyph = (typeof GLYPHS)[number];

/** Number of colour classes, `tile-0` and up. */
export const TILE_COLOURS = 8;

const WORDS: readonly (readonly [RegExp, Glyph])[] = [
  [/egg/, 'egg'],
  [/fish|seafood|sushi/, 'fish'],
  [/fruit|apple|berr|banana/, 'apple'],
  [/frozen|ice cream|\bice\b/, 'snow'],
  [/vegetable|herb|salad|produce|floral|tofu/, 'leaf'],
  [/milk|cream|dairy|yogurt|cheese|butter/, 'carton'],
  [/bread|bakery|bun|tortilla|pastr|cake|breakfast/, 'bread'],
  [/tea|coffee|cocoa/, 'cup'],
  [/water|drink|juice|soda|beer|wine|beverage|spirit|oil|vinegar/, 'bottle'],
  [/clean|laundry|soap|hair|skin|personal|household|deodorant|paper/, 'spray'],
  [/sauce|jam|honey|spread|spice|condiment|pickle|vitamin|preserve|can|jar/, 'jar'],
  [/soup|cereal|pasta|rice|grain|meal|deli|noodle|bean|granola/, 'bowl'],
];

/** The drawing for a product: by words of its aisle, then of its department. */
export function glyphOf(aisle: string, department: string): Glyph {
  for (const text of [aisle, department]) {
    const found = WORDS.find(([words]) => words.test(text.toLowerCase()));
    if (found) return found[1];
  }
  return 'box';
}

/** FNV-1a over UTF-16 units, 32 bits. */
export function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  }
  return state >>> 0;
}

export interface Tile {
  glyph: Glyph;
  /** Index of the colour class. */
  colour: number;
  /** Where the round shade behind the drawing lies, in a 48 × 48 square. */
  shade: { x: number; y: number; r: number };
  /** Faint copies of the drawing behind it, in a 96 × 72 rectangle. */
  echoes: { x: number; y: number; turn: number; scale: number }[];
}

/** The same picture for the same product, every time. */
export function tileOf(name: string, aisle: string, department: string): Tile {
  const bits = hash(`${name}|${aisle}`);
  return {
    glyph: glyphOf(aisle, department),
    colour: hash(aisle || department || name) % TILE_COLOURS,
    shade: { x: 6 + (bits & 31), y: 6 + ((bits >>> 5) & 31), r: 12 + ((bits >>> 10) & 7) },
    echoes: [echo(hash(`${name}|1`), -14), echo(hash(`${name}|2`), 52)],
  };
}

/** A copy to one side: `x` is the leftmost place that it takes. */
function echo(bits: number, x: number): Tile['echoes'][number] {
  return {
    x: x + (bits & 7),
    y: ((bits >>> 3) & 31) - 6,
    turn: ((bits >>> 8) & 63) - 32,
    scale: 0.8 + ((bits >>> 14) & 3) / 10,
  };
}
