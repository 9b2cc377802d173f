/** Where the API is: read once, from a file beside the page. */

export interface Config {
  /** Origin of the API without a slash at its end; empty for this page's own. */
  apiBase: string;
}

/** Reads `config.json`. A missing or unreadable one means this page's own origin. */
export async function loadConfig(
  fetcher: (input: string) => Promise<Response> = (input) => fetch(input),
): Promise<Config> {
  try {
    const response = await fetcher(`${import.meta.env.BASE_URL}config.json`);
    const value: unknown = response.ok ? await response.json() : null;
    if (typeof value === 'object' && value !== null && 'apiBase' in value) {
      if (typeof value.apiBase === 'string') return { apiBase: value.apiBase };
    }
  } catch {
    // Falls through to the default.
  }
  return { apiBase: '' };
}
