/** The web app's configuration, read once from a file beside the page. */

export interface Config {
  /** Origin of the API without a trailing slash; empty for the page's own origin. */
  apiBase: string;
  /**
   * An API key for shoppers, if the API requires one. It is public, so it must not have
   * the admin scope.
   */
  apiKey: string;
}

/** Reads `config.json`. Without a readable file the API is at the page's own origin. */
export async function loadConfig(
  fetcher: (input: string) => Promise<Response> = (input) => fetch(input),
): Promise<Config> {
  try {
    const response = await fetcher(`${import.meta.env.BASE_URL}config.json`);
    const value: unknown = response.ok ? await response.json() : null;
    return { apiBase: stringField(value, 'apiBase'), apiKey: stringField(value, 'apiKey') };
  } catch {
    return { apiBase: '', apiKey: '' };
  }
}

function stringField(object: unknown, name: string): string {
  if (typeof object !== 'object' || object === null || !(name in object)) return '';
  const value: unknown = Reflect.get(object, name);
  return typeof value === 'string' ? value : '';
}
