import { expect, it } from 'vitest';
import type { Method, Report } from '../../../lib/types';
import { modelAndBaseline, recallScale } from './recall';

const mean = (value: number, se = 0) => ({ mean: value, se });
function method(name: string, recall: number, se = 0.01): Method {
  const zero = mean(0);
  return {
    name,
    recall_at_10: mean(recall, se),
    ndcg_at_10: zero,
    phr_at_10: zero,
    recall_at_20: zero,
    ndcg_at_20: zero,
    phr_at_20: zero,
  };
}
function report(methods: Method[]): Report {
  return {
    methods,
    calibration_error: 0,
    candidate_recall: mean(0),
    comparison: { difference: mean(0), reference: 'popular', serving: false },
    feature_set: 'fs',
    half_cart_recall_at_10: mean(0),
    log_loss: 0,
    users: 1,
  };
}

it('finds the model and the best baseline', () => {
  const methods = [
    method('popular', 0.2),
    method('personal', 0.4),
    method('no model', 0.9),
    method('model', 0.5),
  ];
  const found = modelAndBaseline(report(methods));
  expect([found.model?.name, found.baseline?.name]).toEqual(['model', 'personal']);
  expect(modelAndBaseline(report([]))).toEqual({});
});

it('spans the whiskers of all reports', () => {
  const { low, high } = recallScale([
    report([method('random', 0), method('personal', 0.4, 0.02), method('model', 0.5, 0.02)]),
    report([method('model', 0.6, 0.02)]),
  ]);
  expect(low).toBeCloseTo(0.38 - 0.024);
  expect(high).toBeCloseTo(0.62 + 0.024);
  expect(recallScale([])).toEqual({ low: 0, high: 1 });
});
