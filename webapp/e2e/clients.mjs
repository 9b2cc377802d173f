// The clients of Segment and RudderStack, unchanged, against a server that requires keys. They
// know its host and a key, nothing else.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Analytics } from '@segment/analytics-node';

const require = createRequire(import.meta.url);
const RudderAnalytics = require('@rudderstack/rudder-sdk-node');
const WAIT_MS = 20_000;

const SHOP_PAGE = `<!doctype html>
<meta charset="utf-8">
<title>Another shop</title>
<link rel="icon" href="data:,">
<script src="/umd/index.js"></script>
<h1>Milk</h1>`;

/** A shop's own site: one page, and the client's files. */
async function openSite() {
  const umd = join(dirname(require.resolve('@segment/analytics-next/package.json')), 'dist/umd');
  const site = createServer(async (request, response) => {
    const file = request.url.startsWith('/umd/') ? join(umd, basename(request.url)) : null;
    response.setHeader('content-type', file ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(file ? await readFile(file) : SHOP_PAGE);
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  return { origin: `http://127.0.0.1:${site.address().port}`, close: () => site.close() };
}

/** Runs `step` with a server that has a key with both halves, and an operator's key. */
export async function withKeys(server, env, step) {
  const own = await server.another(env);
  try {
    const scope = ['--scope', 'events:write'];
    const { key, publishable } = await own.command(
      'keys',
      'create',
      'web',
      ...scope,
      '--publishable',
    );
    const operator = await own.command('keys', 'create', 'operator', '--scope', 'admin');
    const read = async (path) => {
      const response = await fetch(own.url + path, { headers: { 'x-api-key': operator.key } });
      return response.ok ? response.json() : null;
    };
    // The server takes over new keys within a moment.
    await until(async () => (await fetch(`${own.url}/v1/users`)).status === 401, 'keys count');
    await until(async () => (await read('/v1/users')) !== null, 'the key is valid');
    await step({ url: own.url, key, publishable, read, operator: operator.key, server: own });
  } finally {
    await own.close();
  }
}

async function until(holds, what) {
  const deadline = Date.now() + WAIT_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}: it did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function cart(read, shopper) {
  const { items } = await read(`/v1/users/${encodeURIComponent(shopper)}/cart`);
  return items.map((item) => [item.product_id, item.quantity]);
}

async function segmentNode({ server }) {
  await withKeys(server, {}, async ({ url, key, read }) => {
    const answers = [];
    const failures = [];
    const analytics = new Analytics({ writeKey: key, host: url, flushAt: 20, maxRetries: 0 });
    analytics.on('http_response', ({ status }) => answers.push(status));
    analytics.on('error', (error) => failures.push(error));
    const added = (product_id, quantity) => ({
      event: 'Product Added',
      properties: { product_id, quantity, price: 1.75 },
    });
    analytics.track({ anonymousId: 'guest-1', ...added('milk', 2) });
    analytics.identify({ anonymousId: 'guest-1', userId: 'u1', traits: { plan: 'pro' } });
    analytics.track({ userId: 'u1', ...added('bread', 1) });
    analytics.page({ userId: 'u1', name: 'Home' });
    analytics.group({ userId: 'u1', groupId: 'g' });
    await analytics.closeAndFlush({ timeout: WAIT_MS });
    assert.deepEqual([answers, failures], [[200], []]);
    assert.deepEqual(await cart(read, 'u1'), [
      ['milk', 2],
      ['bread', 1],
    ]);
    assert.deepEqual(await cart(read, '~guest-1'), [], 'the guest is the user now');

    const stranger = new Analytics({ writeKey: 'guess', host: url, maxRetries: 0 });
    stranger.on('http_response', ({ status }) => answers.push(status));
    stranger.on('error', () => {});
    stranger.track({ userId: 'u2', ...added('milk', 1) });
    await stranger.closeAndFlush({ timeout: WAIT_MS });
    assert.deepEqual(answers, [200, 401]);
  });
}

async function rudderNode({ server }) {
  await withKeys(server, {}, async ({ url, key, read }) => {
    const rudder = new RudderAnalytics(key, { dataPlaneUrl: url, flushAt: 20 });
    const delivered = new Promise((resolve, reject) => {
      const call = { userId: 'u1', event: 'Product Added', properties: { product_id: 'milk' } };
      rudder.track(call, (error) => (error ? reject(error) : resolve()));
    });
    rudder.screen({ userId: 'u1', name: 'Basket' });
    // The body is gzip without a content type of its own.
    await rudder.flush();
    await delivered;
    assert.deepEqual(await cart(read, 'u1'), [['milk', 1]]);
  });
}

async function segmentBrowser({ browser, server }) {
  const site = await openSite();
  const env = { CARTWHEEL_SERVER_CORS_ORIGINS: site.origin };
  const context = await browser.newContext();
  try {
    await withKeys(server, env, async ({ url, key, publishable, read }) => {
      const page = await context.newPage();
      const elsewhere = [];
      page.on('request', (request) => {
        const { origin, protocol } = new URL(request.url());
        if (protocol !== 'data:' && ![site.origin, url].includes(origin)) {
          elsewhere.push(request.url());
        }
      });
      const statuses = [];
      page.on('response', (response) => {
        if (response.request().method() === 'POST') statuses.push(response.status());
      });
      await page.goto(site.origin);
      const guest = await page.evaluate(
        async ({ writeKey, cdnURL }) => {
          const { AnalyticsBrowser } = globalThis.AnalyticsNext;
          const [analytics] = await AnalyticsBrowser.load({ writeKey, cdnURL });
          await analytics.page('Milk');
          await analytics.track('Product Added', { product_id: 'milk', quantity: 2 });
          await analytics.identify('u1');
          await analytics.track('Product Added', { product_id: 'bread' });
          return analytics.user().anonymousId();
        },
        { writeKey: publishable, cdnURL: url },
      );
      await until(() => statuses.length === 4, 'four calls are answered');
      assert.deepEqual(statuses, [200, 200, 200, 200]);
      assert.deepEqual(elsewhere, [], 'the client calls other hosts');
      const lines = [
        ['milk', 2],
        ['bread', 1],
      ];
      assert.deepEqual(await cart(read, `~${guest}`), lines, 'a page acts for its guest alone');
      // The shop's server knows who has logged in.
      const analytics = new Analytics({ writeKey: key, host: url, maxRetries: 0 });
      analytics.identify({ userId: 'u1', anonymousId: guest });
      await analytics.closeAndFlush({ timeout: WAIT_MS });
      assert.deepEqual(await cart(read, 'u1'), lines);
    });
  } finally {
    await context.close();
    site.close();
  }
}

export const steps = [
  ["clients: Segment's for Node.js needs a host and a key", segmentNode],
  ["clients: RudderStack's for Node.js needs a host and a key", rudderNode],
  ["clients: Segment's for browsers, on a page of another origin", segmentBrowser],
];
