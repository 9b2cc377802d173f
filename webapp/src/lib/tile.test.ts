import { describe, expect, it } from 'vitest';
import { GLYPHS, glyphOf, TILE_COLOURS, tileOf } from './tile';

describe('tiles', () => {
  it('fit the thing: by its name, then by the aisle, then by the department', () => {
    expect(glyphOf('Organic Bananas', 'fresh fruits', 'produce')).toBe('banana');
    expect(glyphOf('Crisp Apples', 'fresh fruits', 'produce')).toBe('apple');
    expect(glyphOf('Apple Juice', 'juice', 'beverages')).toBe('bottle');
    expect(glyphOf('Strawberry Jam', 'spreads', 'breakfast')).toBe('jar');
    expect(glyphOf('Carrot Cake', 'cakes', 'bakery')).toBe('bread');
    expect(glyphOf('Pineapple', 'fresh fruits', 'produce')).toBe('fruit');
    expect(glyphOf('Large', 'eggs', 'dairy eggs')).toBe('egg');
    expect(glyphOf('Something', 'unheard of', 'bakery')).toBe('bread');
    expect(glyphOf('', '', '')).toBe('box');
  });
  it('are equal for equal products and stay within bounds', () => {
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
