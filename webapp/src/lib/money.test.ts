import { describe, expect, it } from 'vitest';
import { isAmount, linePrice, money, totalOf } from './money';

describe('money', () => {
  it.each([
    ['12.90', 'EUR', '€12.90'],
    ['12.9', 'EUR', '€12.90'],
    ['1234', 'USD', '$1,234.00'],
    ['0.125', 'EUR', '€0.125'],
    ['500', 'JPY', '¥500'],
    ['500.00', 'JPY', '¥500'],
    ['500.50', 'JPY', '¥500.5'],
    ['999999999999.9999', 'EUR', '€999,999,999,999.9999'],
    ['12.90', null, '12.90'],
    ['not money', 'EUR', 'not money'],
  ])('writes %s %s as %s', (amount, currency, text) => {
    expect(money(amount, currency)).toBe(text);
  });

  it.each(['0', '12.90', '999999999999.9999'])('accepts %s', (text) => {
    expect(isAmount(text)).toBe(true);
  });

  it.each(['', '12,90', '-1', '1.', '.5', '1.23456', '1e3', '€1', '1234567890123'])(
    'rejects %j',
    (text) => {
      expect(isAmount(text)).toBe(false);
    },
  );

  it('multiplies and adds exactly', () => {
    expect(linePrice({ price: '0.10' }, 3)).toBe('0.30');
    expect(linePrice({ price: '1.005' }, 99)).toBe('99.495');
    expect(linePrice({ price: null }, 2)).toBeNull();
    const lines = [
      { price: '0.10', currency: 'EUR', quantity: 1 },
      { price: '0.20', currency: 'EUR', quantity: 1 },
    ];
    expect(totalOf(lines)).toEqual({ amounts: [{ amount: '0.30', currency: 'EUR' }], unpriced: 0 });
  });

  it('keeps currencies apart and counts pieces without a price', () => {
    const lines = [
      { price: '2.50', currency: 'EUR', quantity: 2 },
      { price: '4', currency: 'USD', quantity: 1 },
      { quantity: 3 },
      { price: '1', currency: 'EUR', quantity: 1 },
    ];
    expect(totalOf(lines)).toEqual({
      amounts: [
        { amount: '6.00', currency: 'EUR' },
        { amount: '4.00', currency: 'USD' },
      ],
      unpriced: 3,
    });
    expect(totalOf([])).toEqual({ amounts: [], unpriced: 0 });
  });
});
