/** Hyperparameters in the form that starts a run. Pure. */

export interface Row {
  name: string;
  value: string;
}

/** Maximum number of rows in the form. */
export const MAX_ROWS = 20;

const INTEGERS = ['num_round', 'max_depth', 'early_stopping_rounds', 'seed'];
const FRACTIONS = ['eta', 'subsample', 'colsample_bytree'];

/** Why a row is not valid; null if it is valid or empty. */
export function rowProblem({ name, value }: Row, rows: Row[]): string | null {
  const [key, text] = [name.trim(), value.trim()];
  if (key === '' && text === '') return null;
  if (!/^[a-z][a-z0-9_]{0,63}$/i.test(key))
    return 'The name must consist of letters, digits and underscores.';
  if (rows.filter((row) => row.name.trim() === key).length > 1)
    return 'This name occurs more than once.';
  if (text === '') return 'Enter a value.';
  if (text.length > 256) return 'The value must have at most 256 characters.';
  if (INTEGERS.includes(key) && !/^\d{1,9}$/.test(text)) return 'The value must be a whole number.';
  const fraction = Number(text);
  if (FRACTIONS.includes(key) && !(fraction > 0 && fraction <= 1))
    return 'The value must be greater than 0 and at most 1.';
  return null;
}

/** The parameters in the API's format. Rows without a name are ignored. */
export function parametersOf(rows: Row[]): Record<string, string> {
  const named = rows.filter(({ name }) => name.trim() !== '');
  return Object.fromEntries(named.map(({ name, value }) => [name.trim(), value.trim()]));
}
