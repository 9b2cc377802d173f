import { describe, expect, it } from 'vitest';
import { describeGroup, groupOf, textOf } from './synonyms';

describe('groups of synonyms', () => {
  it('are stored as the form has them', () => {
    for (const text of ['soda, pop, soft drink', 'tv => television, flat screen']) {
      expect(textOf(groupOf(text))).toBe(text);
    }
    expect(groupOf('tv=>television')).toEqual({ kind: 'finds', left: 'tv', right: 'television' });
    expect(textOf({ kind: 'same', left: ' soda, pop ', right: 'forgotten' })).toBe('soda, pop');
  });

  it('are said as a sentence', () => {
    expect(describeGroup('soda, pop')).toBe('soda, pop mean the same');
    expect(describeGroup('tv => television')).toBe('tv also finds television');
  });
});
