import { expect, test } from 'vitest';
import { verdictOf } from './verdict';

test('the verdict is read from the output of a run', () => {
  const verdict = { outcome: 'provisional', reason: 'Better.', advice: 'Wait.', figures: {} };
  expect(verdictOf({ outcome: 'provisional', verdict })).toEqual({
    reason: 'Better.',
    advice: 'Wait.',
  });
  expect(verdictOf({ verdict: { reason: 'Better.', advice: null } })).toEqual({
    reason: 'Better.',
    advice: null,
  });
  for (const output of [null, undefined, 'x', {}, { verdict: null }, { verdict: { reason: 1 } }]) {
    expect(verdictOf(output)).toBeNull();
  }
});
