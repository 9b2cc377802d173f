import { expect, test } from 'vitest';
import { parametersOf, wrong } from './parameters';

const check = (name: string, value: string) => wrong({ name, value }, [{ name, value }]);

test('values must fit the parameters that are known', () => {
  expect(check('num_round', '200')).toBeNull();
  expect(check('num_round', '2.5')).toMatch('whole');
  expect(check('eta', '0.05')).toBeNull();
  expect(check('eta', '0')).toMatch('over 0');
  expect(check('objective', 'binary:logistic')).toBeNull();
});

test('names are words, once each, and have a value', () => {
  expect(check('', '')).toBeNull();
  expect(check('a b', '1')).toMatch('letters');
  expect(check('eta', ' ')).toMatch('missing');
  const row = { name: 'eta', value: '0.1' };
  expect(wrong(row, [row, { ...row }])).toMatch('twice');
});

test('empty rows are left out', () => {
  const rows = [
    { name: ' eta ', value: ' 0.1' },
    { name: '', value: '' },
  ];
  expect(parametersOf(rows)).toEqual({ eta: '0.1' });
});
