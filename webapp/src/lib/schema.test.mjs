import { readFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';

it('has the types of the API as it is written down', async () => {
  const document = new URL('../../openapi.json', import.meta.url);
  const types = new URL('schema.d.ts', import.meta.url);
  const made = await openapiTS(document, { defaultNonNullable: false });
  const options = { ...(await resolveConfig(types)), filepath: types.pathname };
  // The comment at the top is the command line's own.
  const body = (text) => text.slice(text.indexOf('export interface paths'));
  expect(
    body(await readFile(types, 'utf8')),
    'src/lib/schema.d.ts is not what openapi.json says: run `make types`',
  ).toBe(body(await format(astToString(made), options)));
});
