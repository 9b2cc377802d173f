/** Hyperparameters as someone types them. Pure. */

export interface Row {
  name: string;
  value: string;
}

/** The most rows a form takes. */
export const MAX_ROWS = 20;

const WHOLE = ['num_round', 'max_depth', 'early_stopping_rounds', 'seed'];
const SHARES = ['eta', 'subsample', 'colsample_bytree'];

/** What is wrong with a row, or null. An empty row is left out and right. */
export function wrong({ name, value }: Row, rows: Row[]): string | null {
  const [key, given] = [name.trim(), value.trim()];
  if (key === '' && given === '') return null;
  if (!/^[a-z][a-z0-9_]{0,63}$/i.test(key)) return 'The name has letters, digits and underscores.';
  if (rows.filter((row) => row.name.trim() === key).length > 1) return 'This name is there twice.';
  if (given === '') return 'A value is missing.';
  if (given.length > 256) return 'The value has at most 256 characters.';
  if (WHOLE.includes(key) && !/^\d{1,9}$/.test(given)) return 'The value is a whole number.';
  const share = Number(given);
  if (SHARES.includes(key) && !(share > 0 && share <= 1))
    return 'The value is over 0 and at most 1.';
  return null;
}

/** The rows as the API takes them. */
export function parametersOf(rows: Row[]): Record<string, string> {
  const named = rows.filter(({ name }) => name.trim() !== '');
  return Object.fromEntries(named.map(({ name, value }) => [name.trim(), value.trim()]));
}
