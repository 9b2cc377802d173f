import { expect, it } from 'vitest';
import { loadConfig } from './config';

it("reads the address of the API, or falls back to the page's own origin", async () => {
  const load = (text: string, status = 200) =>
    loadConfig(() => Promise.resolve(new Response(text, { status })));
  expect(await load('{"apiBase":"https://api.example"}')).toEqual({
    apiBase: 'https://api.example',
    apiKey: '',
  });
  for (const [text, status] of [
    ['{"apiBase":7}', 200],
    ['oops', 200],
    ['{"apiBase":"https://x"}', 404],
  ] as const) {
    expect(await load(text, status)).toEqual({ apiBase: '', apiKey: '' });
  }
  expect(await loadConfig(() => Promise.reject(new TypeError('offline')))).toEqual({
    apiBase: '',
    apiKey: '',
  });
});
