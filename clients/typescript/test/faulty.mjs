// A proxy in front of the server that fails as it is told.
import { createServer, request } from 'node:http';

/** `faults` are taken one a request: `drop` the answer, `hang`, or a `{status, headers}`. */
export async function openProxy(target, faults) {
  const seen = [];
  const server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    seen.push({ path: incoming.url, body: body.length > 0 ? JSON.parse(body) : undefined });
    const fault = faults.shift();
    if (fault === 'hang') return;
    if (typeof fault === 'object') {
      outgoing.writeHead(fault.status, fault.headers).end('{"title": "told to fail"}');
      return;
    }
    const { method, url, headers } = incoming;
    const forwarded = request(new URL(url, target), { method, headers }, (answer) => {
      if (fault === 'drop') {
        answer.resume().on('end', () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, seen, close };
}
