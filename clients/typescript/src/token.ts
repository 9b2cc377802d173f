/** What a token says beside its shopper. */
export interface TokenOptions {
  /** Seconds for which it is valid: an hour by default, at most a day. */
  seconds?: number;
  /** Scopes, separated by spaces. */
  scope?: string;
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/**
 * Signs a token with which a browser acts for one shopper. Call it on the shop's server only: the
 * secret, `cws_…`, must not leave it. A guest is written as `~` and the anonymous id.
 */
export async function shopperToken(
  secret: string,
  shopper: string,
  { seconds = 3_600, scope = 'events:write recommendations:read' }: TokenOptions = {},
): Promise<string> {
  const text = new TextEncoder();
  const claims = { sub: shopper, exp: Math.floor(Date.now() / 1_000) + seconds, scope };
  const signed = `v1.${base64url(text.encode(JSON.stringify(claims)))}`;
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', text.encode(secret), algorithm, false, ['sign']);
  const mac = await crypto.subtle.sign('HMAC', key, text.encode(signed));
  return `${signed}.${base64url(new Uint8Array(mac))}`;
}
