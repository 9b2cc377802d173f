import { describe, expect, it } from 'vitest';
import { GLYPHS, glyphOf, TILE_COLOURS, tileOf } from './tile';

describe('tiles', () => {
  it('take the drawing from the aisle, then from the department', () => {
    expect(glyphOf('fresh fruits', 'produce')).toBe('apple');
    expect(glyphOf('eggs', 'dairy eggs')).toBe('egg');
    expect(glyphOf('unheard of', 'bakery')).toBe('bread');
    expect(glyphOf('', '')).toBe('box');
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
