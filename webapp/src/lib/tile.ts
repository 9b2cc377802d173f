/** Product pictures: the aisle selects the drawing and the colour. Pure. */

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

const PATTERNS: readonly (readonly [RegExp, Glyph])[] = [
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

/** The drawing of a product: by its aisle's name, or else its department's. */
export function glyphOf(aisle: string, department: string): Glyph {
  for (const text of [aisle, department]) {
    const found = PATTERNS.find(([pattern]) => pattern.test(text.toLowerCase()));
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
  /** The circle behind the drawing, in a 48 × 48 square. */
  shade: { x: number; y: number; r: number };
  /** Faint copies of the drawing behind it, in a 96 × 72 rectangle. */
  echoes: { x: number; y: number; turn: number; scale: number }[];
}

/** The picture of a product; equal arguments give an equal picture. */
export function tileOf(name: string, aisle: string, department: string): Tile {
  const bits = hash(`${name}|${aisle}`);
  return {
    glyph: glyphOf(aisle, department),
    colour: hash(aisle || department || name) % TILE_COLOURS,
    shade: { x: 6 + (bits & 31), y: 6 + ((bits >>> 5) & 31), r: 12 + ((bits >>> 10) & 7) },
    echoes: [echo(hash(`${name}|1`), -14), echo(hash(`${name}|2`), 52)],
  };
}

/** A faint copy of the drawing; `x` is its leftmost position. */
function echo(bits: number, x: number): Tile['echoes'][number] {
  return {
    x: x + (bits & 7),
    y: ((bits >>> 3) & 31) - 6,
    turn: ((bits >>> 8) & 63) - 32,
    scale: 0.8 + ((bits >>> 14) & 3) / 10,
  };
}
