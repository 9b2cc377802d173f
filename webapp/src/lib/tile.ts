/** Product pictures: the name or the aisle selects the drawing, and the aisle the colour. Pure. */

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
  'banana',
  'pear',
  'grapes',
  'fruit',
  'carrot',
  'mushroom',
  'cheese',
  'meat',
] as const;
export type Glyph = (typeof GLYPHS)[number];

/** Number of colour classes, `tile-0` and up. */
export const TILE_COLOURS = 8;

/** What products look like whatever their aisle; `none` leaves it to the aisle. */
const THINGS: readonly (readonly [RegExp, Glyph | 'none'])[] = [
  [/\b(juice|drink|cola|lemonade|water|wine|beer|oil|vinegar)\b/, 'bottle'],
  [/\b(jam|spread|honey|sauce|purée|puree|butter|pickled)\b/, 'jar'],
  [/\b(cake|pie|muffins?|bars?|yogurt|ice cream|sorbet|shampoo|tea|soup|pudding)\b/, 'none'],
  [/\bbananas?\b/, 'banana'],
  [/\bapples?\b/, 'apple'],
  [/\bpears?\b/, 'pear'],
  [/\b(grapes?|[a-z]*berr(y|ies)|cherr(y|ies))\b/, 'grapes'],
  [/\b(oranges?|plums?|peach(es)?|lemons?|limes?|mangos?|melons?|tomato(es)?)\b/, 'fruit'],
  [/\b(carrots?|beetroots?|radish(es)?|parsnips?|peppers?)\b/, 'carrot'],
  [/\bmushrooms?\b/, 'mushroom'],
  [/\b(cheese|cheddar|gouda|mozzarella|brie)\b/, 'cheese'],
];

const PATTERNS: readonly (readonly [RegExp, Glyph])[] = [
  [/egg/, 'egg'],
  [/cheese/, 'cheese'],
  [/fish|seafood|sushi/, 'fish'],
  [/berr/, 'grapes'],
  [/fruit/, 'fruit'],
  [/frozen|ice cream|\bice\b/, 'snow'],
  [/vegetable|herb|salad|produce|floral|tofu/, 'leaf'],
  [/milk|cream|dairy|yogurt|butter/, 'carton'],
  [/meat|poultry|beef|pork|sausage|chicken|ham\b/, 'meat'],
  [/bread|bakery|bun|tortilla|pastr|cake|breakfast/, 'bread'],
  [/tea|coffee|cocoa/, 'cup'],
  [/water|drink|juice|soda|beer|wine|beverage|spirit|oil|vinegar/, 'bottle'],
  [/clean|laundry|soap|hair|skin|personal|household|deodorant|paper/, 'spray'],
  [/sauce|jam|honey|spread|spice|condiment|pickle|vitamin|preserve|can|jar/, 'jar'],
  [/soup|cereal|pasta|rice|grain|meal|deli|noodle|bean|granola/, 'bowl'],
];

/** The drawing of a product: by its name, or else its aisle's, or else its department's. */
export function glyphOf(name: string, aisle: string, department: string): Glyph {
  const thing = THINGS.find(([pattern]) => pattern.test(name.toLowerCase()))?.[1];
  if (thing && thing !== 'none') return thing;
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
    glyph: glyphOf(name, aisle, department),
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
