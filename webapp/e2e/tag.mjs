// End-to-end tests of the tag, on the static pages of another shop at another origin, which has a
// content security policy of its own.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';
import { assertAccessible, screenshot } from './browser.mjs';

const DEMO = new URL('../../clients/browser/demo/', import.meta.url);
const START = new URL('../../docs/start.md', import.meta.url);
const TYPES = { '.html': 'text/html; charset=utf-8', '.css': 'text/css' };
const MOST_BYTES = 6 * 1024;
const BROWSER_SCOPES = ['--scope', 'events:write', '--scope', 'recommendations:read'];

// Serves the pages with the address of the server and the key, and signs tokens as a shop would.
async function openShop(server, keys) {
  const policy =
    `default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; ` +
    `script-src ${server.url}; connect-src ${server.url} 'self'`;
  const shop = createServer(async (request, response) => {
    const url = new URL(request.url, server.shopUrl);
    if (url.pathname === '/token') {
      return response.end(shopperToken(keys.signing, url.searchParams.get('user')));
    }
    const name = url.pathname.slice(1) || 'index.html';
    const file = await (name === 'start.html'
      ? startPage(server.url)
      : readFile(new URL(name, DEMO), 'utf8').catch(() => null));
    if (file === null) return response.writeHead(404).end();
    // A test of the list itself must not depend on how fast the machine is.
    const patient = url.search === '?patient' ? 'limit="4" wait="15000"' : 'limit="4"';
    const body = file
      .replaceAll('limit="4"', patient)
      .replaceAll('https://recommendations.example', server.url)
      .replaceAll('cwp_your_publishable_key', keys.publishable);
    const headers = { 'content-type': TYPES[extname(name)], 'content-security-policy': policy };
    return response.writeHead(200, headers).end(body);
  });
  await new Promise((resolve) => shop.listen(new URL(server.shopUrl).port, '127.0.0.1', resolve));
  return shop;
}

// The page that docs/start.md tells readers to save, with the key that the server asks for by now.
async function startPage(url) {
  const [, page] = /```html\n(.*?)```/s.exec(await readFile(START, 'utf8'));
  const script = 'src="http://127.0.0.1:8080/cartwheel.js"';
  assert.ok(page.includes(script), 'docs/start.md has another address');
  return page.replace(script, `src="${url}/cartwheel.js" data-key="cwp_your_publishable_key"`);
}

function shopperToken(secret, sub) {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const claims = { sub, exp, scope: 'events:write recommendations:read' };
  const signed = `v1.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

let keys;

// Runs `check` in a page of the other shop. Every console error and every violation of its policy
// fails, but for those that `expected` matches.
async function inShop({ browser, server }, path, check, { expected = [], prepare } = {}) {
  keys ??= await server.command('keys', 'create', 'tag', ...BROWSER_SCOPES, '--publishable');
  await until('the key is not valid', async () => {
    const headers = { 'x-api-key': keys.key };
    return (await fetch(`${server.url}/v1/users/x/cart`, { headers })).ok;
  });
  const shop = await openShop(server, keys);
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const faults = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
  await page.addInitScript(() => {
    globalThis.shifts = 0;
    globalThis.sent = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) globalThis.shifts += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
    document.addEventListener('cartwheel:sent', (event) => globalThis.sent.push(...event.detail));
  });
  try {
    await prepare?.(page, context);
    await page.goto(`${server.shopUrl}/${path}`);
    await check(page, context);
  } finally {
    await context.close();
    shop.closeAllConnections();
    await new Promise((resolve) => shop.close(resolve));
  }
  const unexpected = faults.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
  assert.deepEqual(unexpected, [], 'the page raised errors');
}

async function until(problem, holds) {
  const deadline = Date.now() + 15_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, problem);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const list = (page, placement) => page.locator(`cartwheel-list[placement="${placement}"]`);
const items = (page, placement) => list(page, placement).locator('li');
const inState = (page, placement, state) =>
  page.locator(`cartwheel-list[placement="${placement}"][state="${state}"]`).waitFor();
async function guestOf(page) {
  const id = await page.waitForFunction(() => localStorage['cartwheel.id']);
  return JSON.parse(await id.jsonValue());
}
const waiting = (page) =>
  page.evaluate(() => JSON.parse(localStorage['cartwheel.outbox'] ?? '[]').length);
/** Waits until the server has stored an event of a kind. */
const stored = (page, kind) =>
  page.waitForFunction((kind) => globalThis.sent.find(({ event }) => event === kind), kind);

/** The quantities in a shopper's cart, by product. */
async function cartOf(server, shopper) {
  const headers = { 'x-api-key': keys.key };
  const answer = await fetch(`${server.url}/v1/users/${shopper}/cart`, { headers });
  assert.equal(answer.status, 200);
  const { items } = await answer.json();
  return Object.fromEntries(items.map(({ product_id, quantity }) => [product_id, quantity]));
}

async function served({ baseUrl }) {
  const answer = await fetch(`${baseUrl}/cartwheel.js`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type'), /javascript/);
  assert.match(answer.headers.get('cache-control'), /max-age/);
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  const code = Buffer.from(await answer.arrayBuffer());
  const size = gzipSync(code, { level: 9 }).length;
  assert.ok(size <= MOST_BYTES, `the tag is ${size} bytes after gzip`);
  assert.doesNotMatch(code.toString(), /\beval\(|new Function|\.cssText|innerHTML/);
  const again = { headers: { 'if-none-match': answer.headers.get('etag') } };
  assert.equal((await fetch(`${baseUrl}/cartwheel.js`, again)).status, 304);
}

async function listOfAnotherShop(context) {
  await inShop(context, 'index.html?patient', async (page) => {
    await inState(page, 'home', 'list');
    assert.equal(await items(page, 'home').count(), 4);
    assert.notEqual(await items(page, 'home').first().locator('a').innerText(), '');
    assert.equal(await page.getByText('Yeast').count(), 0, 'the fallback is still there');
    assert.equal(await page.getByRole('list', { name: 'For you' }).count(), 1);
    assert.equal(await page.evaluate(() => globalThis.shifts), 0, 'the layout has shifted');
    await screenshot(page, context.screenshots, 'tag-home');
    // What was visible is reported, with the answer's id.
    await stored(page, 'impression');
    const seen = await page.evaluate(() => globalThis.sent.find((e) => e.event === 'impression'));
    assert.equal(seen.product_ids.length, 4);
    assert.match(seen.recommendation_id, /^[0-9a-f-]{36}$/);

    const button = items(page, 'home').first().getByRole('button');
    const product = await button.getAttribute('data-cartwheel-add');
    await button.click();
    await stored(page, 'add_to_cart');
    const added = await page.evaluate(() => globalThis.sent.find((e) => e.event === 'add_to_cart'));
    assert.equal(added.recommendation_id, seen.recommendation_id);
    const cart = await cartOf(context.server, `~${await guestOf(page)}`);
    assert.deepEqual(cart, { [product]: 1 });
  });
}

async function pageOfTheFirstTenMinutes(context) {
  await inShop(context, 'start.html?patient', async (page) => {
    await inState(page, 'product', 'list');
    assert.equal(await items(page, 'product').count(), 4);
    await page.getByRole('button', { name: 'Add to cart' }).first().click();
    await stored(page, 'add_to_cart');
    assert.deepEqual(await cartOf(context.server, `~${await guestOf(page)}`), { 12: 1 });
  });
}

async function ownDataOfThePage(context) {
  await inShop(context, 'product.html', async (page) => {
    await inState(page, 'product', 'list');
    await inState(page, 'product_substitutes', 'list');
    await assertAccessible(page, 'the page with two lists');
    // A link without an address keeps its text.
    for (const name of await items(page, 'product_substitutes').locator('a').allInnerTexts()) {
      assert.notEqual(name, '');
    }
    assert.equal(await items(page, 'product_substitutes').locator('a:not([href])').count(), 4);
    // The reserved room was as large as the lists.
    assert.equal(await page.evaluate(() => globalThis.shifts), 0, 'the layout has shifted');
    const shown = await page.locator('cartwheel-list [data-cartwheel-add]').evaluateAll((all) => {
      return all.map((button) => button.dataset.cartwheelAdd);
    });
    assert.equal(new Set(shown).size, shown.length, 'a product is in two lists');
    // JSON-LD, GA4's data layer in both forms, and a call.
    await page.evaluate(() => {
      const items = [{ item_id: '21', quantity: 3, price: 2.5 }];
      globalThis.dataLayer.push({ event: 'view_item', ecommerce: { items: [{ item_id: '12' }] } });
      globalThis.dataLayer.push({ event: 'add_to_cart', ecommerce: { items } });
      (function () {
        globalThis.dataLayer.push(arguments);
      })('event', 'add_to_cart', { items: [{ item_id: '22' }] });
      globalThis.cartwheel.add('21', { quantity: 3 });
      globalThis.cartwheel.push(['add', '23', { quantity: 4 }], ['search', 'bread']);
    });
    await page.getByRole('button', { name: 'Add two to the cart' }).click();
    const guest = await guestOf(page);
    const expected = { 12: 2, 21: 3, 22: 1, 23: 4 };
    await until('the cart has other products', async () => {
      const cart = await cartOf(context.server, `~${guest}`);
      return Object.entries(expected).every(([id, count]) => cart[id] === count);
    });
    assert.deepEqual(await cartOf(context.server, `~${guest}`), expected);
    await stored(page, 'search');
    const views = await page.evaluate(() => globalThis.sent.filter((e) => e.event === 'view'));
    assert.deepEqual(
      views.map((event) => event.product_ids),
      [['12']],
      'it was viewed once',
    );
    await page.getByRole('button', { name: 'Remove' }).click();
    await stored(page, 'remove_from_cart');
  });
}

async function offlineThenOnline(context) {
  const { server } = context;
  const lost = [/ERR_INTERNET_DISCONNECTED/, /ERR_FAILED/];
  await inShop(
    context,
    'product.html',
    async (page, browserContext) => {
      await stored(page, 'view');
      await browserContext.setOffline(true);
      await page.getByRole('button', { name: 'Add two to the cart' }).click();
      await until('the event is not kept', async () => (await waiting(page)) > 0);
      const guest = await guestOf(page);
      assert.deepEqual(await cartOf(server, `~${guest}`), {});
      await browserContext.setOffline(false);
      await stored(page, 'add_to_cart');
      assert.deepEqual(await cartOf(server, `~${guest}`), { 12: 2 });

      // The server stores an event whose answer is lost: sent again, it counts once.
      const ids = [];
      await page.route('**/v1/events', async (route) => {
        ids.push(route.request().postDataJSON()[0].event_id);
        if (ids.length > 1) return route.continue();
        await route.fetch();
        return route.abort();
      });
      await page.evaluate(() => globalThis.cartwheel.add('30'));
      await page.waitForFunction(() =>
        globalThis.sent.some(({ items }) => items?.[0].product_id === '30'),
      );
      assert.ok(ids.length >= 2);
      assert.equal(ids[0], ids[1], 'the retry has another event id');
      assert.deepEqual(await cartOf(server, `~${guest}`), { 12: 2, 30: 1 });
    },
    { expected: lost },
  );
}

async function leaving(context) {
  await inShop(
    context,
    'product.html',
    async (page) => {
      const guest = await guestOf(page);
      await page.getByRole('button', { name: 'Add two to the cart' }).click();
      await page.getByRole('link', { name: 'Corner shop' }).click();
      await until('the beacon is not stored', async () => {
        return (await cartOf(context.server, `~${guest}`))[12] === 2;
      });
    },
    {
      expected: [/ERR_FAILED/],
      // Nothing gets through but what is sent while the page goes away.
      prepare: (page) => page.route('**/v1/events', (route) => route.abort()),
    },
  );
}

async function fallback(context) {
  const late = async (page) => {
    await page.route('**/v1/page', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      await route.continue().catch(() => {});
    });
  };
  await inShop(
    context,
    'index.html',
    async (page) => {
      await inState(page, 'home', 'fallback');
      assert.ok(await page.getByText('Yeast').isVisible());
      await page.waitForResponse('**/v1/page');
      await page.waitForTimeout(200);
      assert.ok(await page.getByText('Yeast').isVisible(), 'a late answer replaced the fallback');
      assert.equal(await page.evaluate(() => globalThis.shifts), 0, 'the layout has shifted');
      await screenshot(page, context.screenshots, 'tag-fallback');
    },
    { prepare: late },
  );
  const refused = [/ERR_FAILED/];
  await inShop(context, 'index.html', (page) => inState(page, 'home', 'fallback'), {
    expected: refused,
    prepare: (page) => page.route('**/v1/page', (route) => route.abort()),
  });
}

async function consent(context) {
  const requests = [];
  const prepare = (page) =>
    page.on('request', (request) => {
      if (request.url().includes('/v1/')) requests.push(request.url());
    });
  await inShop(
    context,
    'thanks.html',
    async (page) => {
      await page.waitForFunction(() => globalThis.cartwheel);
      await page.evaluate(() => globalThis.cartwheel.view('12'));
      await page.waitForTimeout(500);
      assert.deepEqual(requests, [], 'something was sent without consent');
      assert.equal(await page.evaluate(() => localStorage.length), 0);
      await page.evaluate(() => globalThis.cartwheel.consent(true));
      await stored(page, 'checkout');
      const order = await page.evaluate(() => globalThis.sent.find((e) => e.event === 'checkout'));
      assert.equal(order.event_id, 'order-A-1001');
      assert.deepEqual(order.items, [{ product_id: '12', quantity: 2, price: 1.5 }]);
      // Loaded again, the page reports no second order.
      const before = requests.length;
      await page.reload();
      await page.waitForFunction(() => globalThis.cartwheel);
      await page.evaluate(() => globalThis.cartwheel.view('12'));
      await stored(page, 'view');
      assert.ok(requests.length > before);
      const again = await page.evaluate(() => globalThis.sent.map((event) => event.event));
      assert.deepEqual(again, ['view']);
      await page.evaluate(() => globalThis.cartwheel.consent(false));
      const kept = await page.evaluate(() => ({ ...localStorage }));
      assert.deepEqual(kept, { 'cartwheel.consent': 'false' });
    },
    { prepare },
  );
}

async function tokens(context) {
  const { server } = context;
  await inShop(
    context,
    'product.html',
    async (page) => {
      await page.getByRole('button', { name: 'Add two to the cart' }).click();
      await stored(page, 'add_to_cart');
      const guest = await guestOf(page);
      await page.evaluate(() => {
        globalThis.fetched = 0;
        // The first token is not valid, as one that has expired.
        const token = async () => {
          globalThis.fetched += 1;
          if (globalThis.fetched === 1) return 'v1.e30.e30';
          return (await fetch('/token?user=tag-user')).text();
        };
        globalThis.cartwheel.identify('tag-user', token);
      });
      await stored(page, 'identify');
      assert.equal(await page.evaluate(() => globalThis.fetched), 2);
      assert.deepEqual(await cartOf(server, 'tag-user'), { 12: 2 }, 'the cart has not gone over');
      await page.evaluate(() => globalThis.cartwheel.add('30'));
      await until('the token does not act for its user', async () => {
        return (await cartOf(server, 'tag-user'))[30] === 1;
      });
      await page.evaluate(() => document.querySelector('cartwheel-list').refresh());
      await page.evaluate(() => globalThis.cartwheel.reset());
      assert.notEqual(await guestOf(page), guest);
    },
    { expected: [/status of 401/] },
  );
}

export const steps = [
  ['tag: it is served to every site, small and with an entity tag', served],
  ['tag: a list in the page of another shop, and what follows from it', listOfAnotherShop],
  ['tag: the page of the first ten minutes', pageOfTheFirstTenMinutes],
  ['tag: attributes, JSON-LD, the data layer and calls', ownDataOfThePage],
  ['tag: offline and lost answers', offlineThenOnline],
  ['tag: a beacon takes along what waits', leaving],
  ['tag: the fallback stays when nothing comes in time', fallback],
  ['tag: nothing is stored or sent without consent', consent],
  ['tag: a shopper token, renewed', tokens],
];
