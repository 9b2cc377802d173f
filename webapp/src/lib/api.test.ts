import { describe, expect, it } from 'vitest';
import { Api } from './api';
import { ApiError } from './api-error';
import type { EventBody } from './types';

const BODY: EventBody = { event_id: 'e-1', user_id: '7', event: 'get_recommendations' };
const ROW = {
  product_id: '24852',
  product_name: 'Banana',
  aisle: 'fresh fruits',
  department: 'produce',
  probability: 0.4,
  reasons: ['You bought it in 5 of your last 8 orders.'],
};
const ANSWER = {
  message: 'Stored.',
  event_id: 'e-1',
  record_id: '1-9',
  shard_id: 'shardId-000000000001',
  recommendation_id: 'r-1',
  model_version: 'm-1',
  degraded: false,
  recommendations: [ROW],
};

/** A client whose server always returns `response`, with the requests it sent. */
function client(response: () => Promise<Response>): { api: Api; calls: Request[] } {
  const calls: Request[] = [];
  const api = new Api('https://api.example/', (request) => {
    calls.push(request);
    return response();
  });
  return { api, calls };
}

function json(value: unknown, status = 200, headers: Record<string, string> = {}) {
  return () => Promise.resolve(new Response(JSON.stringify(value), { status, headers }));
}

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('The request did not fail.');
}

describe('submit', () => {
  it('sends the event unchanged and decodes the response', async () => {
    const { api, calls } = client(json(ANSWER));
    const { answer, status } = await api.submit(BODY);
    expect(answer).toEqual(ANSWER);
    expect(status).toBe(200);
    expect(calls[0]?.url).toBe('https://api.example/submit');
    expect(calls[0]?.method).toBe('POST');
    expect(await calls[0]?.json()).toEqual(BODY);
  });

  it('reports a response that is not a JSON object', async () => {
    const page = () => Promise.resolve(new Response('<h1>Welcome</h1>'));
    const error = await failure(client(page).api.submit(BODY));
    expect(error.kind).toBe('invalid');
    expect((await failure(client(json('text')).api.models())).kind).toBe('invalid');
  });

  it('sends the API key once it is set', async () => {
    const { api, calls } = client(json(ANSWER));
    await api.submit(BODY);
    api.key = 'secret';
    await api.submit(BODY);
    const keys = calls.map((call) => call.headers.get('x-api-key'));
    expect(keys).toEqual([null, 'secret']);
  });

  it('keeps the problem document of an error response', async () => {
    const problem = {
      type: '/problems/invalid-event',
      title: 'Invalid event',
      status: 422,
      detail: 'user_id is longer than 128 bytes; expected 1 to 128 bytes of text',
      field: 'user_id',
      expected: '1 to 128 bytes of text without control characters',
    };
    const error = await failure(client(json(problem, 422)).api.submit(BODY));
    expect(error).toMatchObject({ kind: 'refused', status: 422, message: problem.detail, problem });
    expect(error.retryAfterSeconds).toBeNull();
  });

  it('reads the retry-after header', async () => {
    const busy = json({ title: 'Busy', status: 503 }, 503, { 'retry-after': '4' });
    const error = await failure(client(busy).api.submit(BODY));
    expect(error).toMatchObject({ status: 503, message: 'Busy', retryAfterSeconds: 4 });
  });

  it('handles an error page that is not JSON', async () => {
    const page = () => Promise.resolve(new Response('<h1>Bad gateway</h1>', { status: 502 }));
    const error = await failure(client(page).api.submit(BODY));
    expect(error).toMatchObject({ kind: 'refused', status: 502, problem: null });
    expect(error.message).toContain('502');
  });

  it('distinguishes a lost connection from a timeout', async () => {
    const lost = client(() => Promise.reject(new TypeError('Failed to fetch')));
    expect((await failure(lost.api.submit(BODY))).kind).toBe('network');
    const late = client(() => Promise.reject(new DOMException('late', 'TimeoutError')));
    expect((await failure(late.api.submit(BODY))).kind).toBe('timeout');
  });
});

describe('queries', () => {
  it('escape their parameters', async () => {
    const { api, calls } = client(json({ products: [ROW], total: 1 }));
    const { products } = await api.products({ search: 'jam & bread', limit: 8 });
    expect(products[0]?.product_name).toBe('Banana');
    const { searchParams } = new URL(calls[0]?.url ?? '');
    expect(Object.fromEntries(searchParams)).toEqual({ search: 'jam & bread', limit: '8' });
  });

  it('read users and popular products', async () => {
    const users = [{ user_id: '7', orders: 3, products: 12 }];
    expect(await client(json({ users })).api.users(12)).toEqual(users);
    expect(await client(json({ recommendations: [ROW] })).api.popular(5)).toEqual([ROW]);
  });

  it('accept the readiness in a 503', async () => {
    const starting = json({ ready: false, model_version: null }, 503);
    expect((await client(starting).api.ready()).ready).toBe(false);
    const error = await failure(client(json({}, 500)).api.ready());
    expect(error.status).toBe(500);
  });

  it('can be cancelled by the caller', async () => {
    const stop = new AbortController();
    const api = new Api(
      'https://api.example',
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    );
    const pending = failure(api.products({ search: 'x' }, stop.signal));
    stop.abort();
    expect((await pending).kind).toBe('aborted');
  });
});

describe('streams', () => {
  it('deliver each event, however the bytes are split', async () => {
    const bytes = new TextEncoder().encode(
      'event: live\ndata: {"n":"é"}\n\nevent: live\ndata: 2\n\n',
    );
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const seen: unknown[] = [];
    const { api } = client(() => Promise.resolve(new Response(body)));
    await api.live((live) => seen.push(live), new AbortController().signal);
    expect(seen).toEqual([{ n: 'é' }, 2]);
  });

  it('report an error status', async () => {
    const { api } = client(json({ title: 'Unknown', status: 404 }, 404));
    const error = await failure(api.live(() => {}, new AbortController().signal));
    expect(error).toMatchObject({ kind: 'refused', status: 404 });
  });
});
