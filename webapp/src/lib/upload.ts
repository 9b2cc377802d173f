/** Uploads of files. `fetch` does not tell how much of a body is sent. */

/** The part of a file that is sent, in bytes. */
export interface Sent {
  bytes: number;
  total: number;
}

/** Posts a file as the body. Rejects as `fetch` does. */
export function send(
  address: string,
  file: File,
  key: string,
  onSent: (sent: Sent) => void,
  signal: AbortSignal,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const aborted = (): void => reject(new DOMException('The upload was cancelled.', 'AbortError'));
    request.open('POST', address);
    request.setRequestHeader('content-type', 'application/octet-stream');
    if (key !== '') request.setRequestHeader('x-api-key', key);
    request.upload.onprogress = ({ loaded, total }) => onSent({ bytes: loaded, total });
    request.onload = () => {
      const retry = request.getResponseHeader('retry-after');
      const headers = retry === null ? {} : { 'retry-after': retry };
      resolve(new Response(request.responseText, { status: request.status, headers }));
    };
    request.onerror = () => reject(new TypeError('The server could not be reached.'));
    request.onabort = aborted;
    if (signal.aborted) return aborted();
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}
