import { describe, expect, it } from 'vitest';
import { newId, uuid4 } from './ids';

describe('ids', () => {
  const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  it('are version 4 UUIDs and differ', () => {
    expect(newId()).toMatch(pattern);
    expect(newId()).not.toBe(newId());
  });
  it('are well formed for any random bytes', () => {
    expect(uuid4(new Uint8Array(16))).toBe('00000000-0000-4000-8000-000000000000');
    expect(uuid4(new Uint8Array(16).fill(255))).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff');
  });
});
