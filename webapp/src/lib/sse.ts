/** Server-sent events over `fetch`: unlike EventSource, it can send an API key. */
import { createParser } from 'eventsource-parser';

/** Calls `onEvent` with each event's name and data until the stream ends. */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  onEvent: (event: string, data: string) => void,
): Promise<void> {
  const parser = createParser({
    onEvent: ({ event, data }) => onEvent(event ?? 'message', data),
  });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
  }
}
