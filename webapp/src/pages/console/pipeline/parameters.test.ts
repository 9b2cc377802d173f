import { expect, test } from 'vitest';
import { parametersOf, rowProblem } from './parameters';

const check = (name: string, value: string) => rowProblem({ name, value }, [{ name, value }]);

test('values of known parameters are checked', () => {
  expect(check('num_round', '200')).toBeNull();
  expect(check('num_round', '2.5')).toMatch('whole');
  expect(check('eta', '0.05')).toBeNull();
  expect(check('eta', '0')).toMatch('greater than 0');
  expect(check('objective', 'binary:logistic')).toBeNull();
});

test('names are valid and unique, and have a value', () => {
  expect(check('', '')).toBeNull();
  expect(check('a b', '1')).toMatch('letters');
  expect(check('eta', ' ')).toMatch('Enter a value');
  const row = { name: 'eta', value: '0.1' };
  expect(rowProblem(row, [row, { ...row }])).toMatch('more than once');
});

test('empty rows are ignored', () => {
  const rows = [
    { name: ' eta ', value: ' 0.1' },
    { name: '', value: '' },
  ];
  expect(parametersOf(rows)).toEqual({ eta: '0.1' });
});
