import { expect, it } from 'vitest';
import { bytes } from './bytes';

it('scales sizes to readable units', () => {
  expect([0, 999, 1_000, 225_372, 1_440_000, 7.2e13].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '225 kB',
    '1.4 MB',
    '72.0 TB',
  ]);
});
