// Tests the client against the server that scripts/test-clients starts.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Cartwheel, CartwheelError, shopperToken } from 'cartwheel-client';
import { openProxy } from './faulty.mjs';

const {
  CARTWHEEL_URL: url,
  CARTWHEEL_API_KEY: key,
  CARTWHEEL_SIGNING_SECRET: secret,
} = process.env;
// Long enough for a machine that is busy.
const patient = { url, key, timeoutMs: 30_000 };
const run = promisify(execFile);
const root = new URL('..', import.meta.url);

let users = 0;
/** A shopper of whom the server knows nothing. */
const newUser = () => `ts-${process.pid}-${(users += 1)}`;

async function cartOf(user) {
  const cart = await new Cartwheel(patient).request('get', '/v1/users/{id}/cart', {
    path: { id: user },
  });
  return Object.fromEntries(cart.items.map((item) => [item.product_id, item.quantity]));
}

async function withProxy(faults, check) {
  const proxy = await openProxy(url, faults);
  try {
    await check(proxy);
  } finally {
    await proxy.close();
  }
}

test('events in, recommendations out', async () => {
  const cartwheel = new Cartwheel(patient);
  const user_id = newUser();
  for (const id of ['1', '2', '2']) {
    assert.ok(cartwheel.track({ event: 'add_to_cart', user_id, product_ids: [id] }));
  }
  assert.equal(cartwheel.waiting, 3);
  await cartwheel.close();
  assert.equal(cartwheel.waiting, 0);
  assert.deepEqual(await cartOf(user_id), { 1: 1, 2: 2 });
  const answer = await cartwheel.submit({ event: 'add_to_cart', user_id, product_ids: ['3'] });
  assert.equal(answer.recommendations.length, 10);
  const { recommendations } = await cartwheel.recommend({ user_id, limit: 4 });
  assert.equal(recommendations.length, 4);
  assert.ok(!recommendations.some(({ product_id }) => ['1', '2', '3'].includes(product_id)));
  const page = await cartwheel.page({ user_id, placements: [{ name: 'home' }, { name: 'cart' }] });
  assert.deepEqual(
    page.placements.map((list) => list.placement),
    ['home', 'cart'],
  );
});

test('an event whose answer is lost is sent again with its id, and counts once', async () => {
  await withProxy(['drop', 'drop'], async (proxy) => {
    const cartwheel = new Cartwheel({ ...patient, url: proxy.url });
    const user_id = newUser();
    cartwheel.track({ event: 'add_to_cart', user_id, product_ids: ['1'] });
    await cartwheel.close();
    const ids = proxy.seen.map(({ body }) => body[0].event_id);
    assert.equal(ids.length, 3);
    assert.equal(new Set(ids).size, 1);
    assert.deepEqual(await cartOf(user_id), { 1: 1 });
  });
});

test('the client waits for as long as the server asks', async () => {
  const busy = { status: 429, headers: { 'retry-after': '1' } };
  await withProxy([busy], async (proxy) => {
    const started = performance.now();
    await new Cartwheel({ ...patient, url: proxy.url }).recommend({ user_id: newUser() });
    assert.ok(performance.now() - started >= 990);
    assert.equal(proxy.seen.length, 2);
  });
});

test('a fallback answers for a server that does not, but hides no mistake', async () => {
  const errors = [];
  const fallback = (error) => {
    errors.push(error.status);
    return { placement: 'home', recommendation_id: '', recommendations: [] };
  };
  const user = { user_id: newUser() };
  const home = async (fault, timeoutMs) => {
    let answer;
    await withProxy([fault], async (proxy) => {
      const cartwheel = new Cartwheel({ url: proxy.url, key, timeoutMs, retries: 0 });
      answer = await cartwheel.placement('home', user, { fallback });
    });
    return answer.recommendations;
  };
  assert.deepEqual(await home('hang', 100), []);
  assert.deepEqual(await home({ status: 503 }, patient.timeoutMs), []);
  assert.deepEqual(errors, [0, 503]);
  await assert.rejects(home({ status: 400 }, patient.timeoutMs), { status: 400 });
  const closed = new Cartwheel({ url: 'http://127.0.0.1:9', retries: 0 });
  await assert.rejects(closed.recommend({ user_id: 'u' }), (error) => {
    return error instanceof CartwheelError && error.isPassing;
  });
});

test('the queue is bounded, and says what it loses', async () => {
  const lost = [];
  const onLost = (event, why) => lost.push([event.product_ids, why]);
  const cartwheel = new Cartwheel({ ...patient, maxQueue: 2, onLost });
  const user_id = newUser();
  const add = (product) => cartwheel.track({ event: 'add_to_cart', user_id, product_ids: product });
  assert.deepEqual([add(['1']), add([]), add(['2'])], [true, true, false]);
  await cartwheel.close();
  assert.deepEqual(await cartOf(user_id), { 1: 1 });
  assert.deepEqual(lost[0], [['2'], 'the queue is full']);
  assert.match(lost[1][1], /product/);
  // What the server cannot take waits.
  await withProxy(Array(10).fill({ status: 503, headers: {} }), async (proxy) => {
    const later = new Cartwheel({ ...patient, url: proxy.url, retries: 0 });
    later.track({ event: 'add_to_cart', user_id, product_ids: ['3'] });
    await assert.rejects(later.flush(), { status: 503 });
    assert.equal(later.waiting, 1);
  });
});

test('events are sent when the process ends', async () => {
  const user_id = newUser();
  const program = `
    import { Cartwheel } from 'cartwheel-client';
    const cartwheel = new Cartwheel({ url: '${url}', key: '${key}', intervalMs: 60_000 });
    cartwheel.track({ event: 'add_to_cart', user_id: '${user_id}', product_ids: ['7'] });`;
  await run(process.execPath, ['--input-type=module', '--eval', program], { cwd: root });
  assert.deepEqual(await cartOf(user_id), { 7: 1 });
});

test('a shopper token acts for its shopper, and is fetched again when it is refused', async () => {
  const user_id = newUser();
  let fetched = 0;
  const token = async () => {
    fetched += 1;
    return shopperToken(fetched === 1 ? 'cws_other' : secret, user_id);
  };
  const browser = new Cartwheel({ url, token, timeoutMs: 30_000 });
  await browser.submit({ event: 'add_to_cart', user_id, product_ids: ['5'] });
  assert.equal(fetched, 2);
  assert.deepEqual(await cartOf(user_id), { 5: 1 });
  const other = browser.recommend({ user_id: newUser() });
  await assert.rejects(other, (error) => error.problem.type.endsWith('other-shopper'));
});

test('the example of the README runs', async () => {
  const readme = await readFile(new URL('README.md', root), 'utf8');
  const example = /```js\n([\s\S]*?)```/.exec(readme)[1];
  assert.ok(example.trim().split('\n').length <= 5, 'it is longer than five lines');
  const program = example.replace('http://127.0.0.1:8080', url).replace('cw_…', key);
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: root,
  });
  assert.match(stdout, /\[\s*'.+'/);
});
