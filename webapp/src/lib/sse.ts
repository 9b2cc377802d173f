/** Server-sent events over `fetch`, which unlike EventSource can bring a key. */
import { createParser } from 'eventsource-parser';

/** Calls `on` with each event's name and data until the stream ends. */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  on: (event: string, data: string) => void,
): Promise<void> {
  const parser = createParser({
    onEvent: ({ event, data }) => on(event ?? 'message', data),
  });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
  }
}
