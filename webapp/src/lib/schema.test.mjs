import { readFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';

// Generating the types takes seconds on a busy machine.
const TIMEOUT_MS = 60_000;

it('schema.d.ts matches openapi.json', { timeout: TIMEOUT_MS }, async () => {
  const document = new URL('../../openapi.json', import.meta.url);
  const types = new URL('schema.d.ts', import.meta.url);
  const made = await openapiTS(document, { defaultNonNullable: false });
  const options = { ...(await resolveConfig(types)), filepath: types.pathname };
  // The command line puts a comment at the top.
  const body = (text) => text.slice(text.indexOf('export interface paths'));
  expect(
    body(await readFile(types, 'utf8')),
    'src/lib/schema.d.ts is out of date: run `make types`',
  ).toBe(body(await format(astToString(made), options)));
});
