/** Where the API is: read once, from a file beside the page. */

export interface Config {
  /** Origin of the API without a slash at its end; empty for this page's own. */
  apiBase: string;
  /** A key for shoppers, where the API wants one: public, so without rights to operate. */
  apiKey: string;
}

/** Reads `config.json`. A missing or unreadable one means this page's own origin. */
export async function loadConfig(
  fetcher: (input: string) => Promise<Response> = (input) => fetch(input),
): Promise<Config> {
  try {
    const response = await fetcher(`${import.meta.env.BASE_URL}config.json`);
    const value: unknown = response.ok ? await response.json() : null;
    return { apiBase: text(value, 'apiBase'), apiKey: text(value, 'apiKey') };
  } catch {
    return { apiBase: '', apiKey: '' };
  }
}

function text(from: unknown, name: string): string {
  if (typeof from !== 'object' || from === null || !(name in from)) return '';
  const value: unknown = Reflect.get(from, name);
  return typeof value === 'string' ? value : '';
}
