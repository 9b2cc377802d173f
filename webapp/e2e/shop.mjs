// End-to-end tests of the shop.
import assert from 'node:assert/strict';
import {
  assertAccessible,
  close,
  assertNoSidewaysScroll,
  openPage,
  screenshot,
  tabTo,
} from './browser.mjs';

// Console errors of a lost connection.
const CONNECTION_LOST = [
  /ERR_CONNECTION_REFUSED/,
  /ERR_INTERNET_DISCONNECTED/,
  /ERR_CONNECTION_RESET/,
];

const recommendations = (page) => page.getByRole('complementary').getByTestId('recommendation');
const ids = (items) => items.evaluateAll((all) => all.map((item) => item.dataset.productId));
/** The shelf of a placement. */
const shelf = (page, placement) =>
  page.locator(`[data-testid=shelf][data-placement="${placement}"]`);
const cartLabel = (page) => page.getByTestId('cart-button').getAttribute('aria-label');

// The event that `action` sends, with the server's response.
async function submitBy(page, action) {
  const [response] = await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).pathname === '/submit'),
    action(),
  ]);
  assert.equal(response.status(), 200, `/submit answered ${response.status()}`);
  return { sent: response.request().postDataJSON(), answer: await response.json() };
}

// Waits until the list beside the content shows the recommendations of `answer`.
async function waitForList(page, answer) {
  const expected = answer.recommendations.map((entry) => entry.product_id).join(' ');
  await page.waitForFunction(
    (ids) =>
      [...document.querySelectorAll('aside [data-testid=recommendation]')]
        .map((item) => item.dataset.productId)
        .join(' ') === ids,
    expected,
  );
}

async function chooseShopper(page, index) {
  await page.getByTestId('shopper-button').click();
  const option = page.getByTestId('shopper-option').nth(index);
  await option.waitFor();
  const id = (await option.locator('.id').innerText()).trim();
  await option.click();
  await page
    .getByRole('complementary')
    .getByRole('heading', { name: `For ${id}` })
    .waitFor();
  await recommendations(page).first().waitFor();
  return id;
}

async function journey({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await page.getByTestId('product-card').first().waitFor();
  await assertAccessible(page, 'the front page');
  await screenshot(page, screenshots, 'shop');
  await page.getByTestId('shopper-button').click();
  await page.getByTestId('shopper-option').first().waitFor();
  await assertAccessible(page, 'the shopper dialog');
  await screenshot(page, screenshots, 'shop-picker');
  await page.keyboard.press('Escape');
  const user = await chooseShopper(page, 0);

  // Browse by department and aisle to a product, which records a view.
  await page.getByRole('navigation', { name: 'Departments' }).getByRole('link').first().click();
  const aisles = page.getByRole('list', { name: /^Aisles of/ }).getByRole('link');
  await aisles.first().click();
  await page.getByTestId('product-card').first().waitFor();
  const card = page.getByTestId('product-card').first();
  const product = await card.getAttribute('data-product-id');
  const viewed = await submitBy(page, () => card.getByRole('link').click());
  assert.deepEqual(
    [viewed.sent.event, viewed.sent.user_id, viewed.sent.product_ids],
    ['view', user, [product]],
  );
  await page.getByTestId('product').waitFor();
  await assertAccessible(page, 'a product');
  await screenshot(page, screenshots, 'shop-product');

  const before = await ids(recommendations(page));
  const added = await submitBy(page, () =>
    page.getByRole('button', { name: 'Add to cart', exact: true }).click(),
  );
  assert.deepEqual(added.sent.items, [{ product_id: product, quantity: 1 }]);
  await waitForList(page, added.answer);
  assert.notDeepEqual(
    await ids(recommendations(page)),
    before,
    'the list does not change with the cart',
  );
  assert.doesNotMatch(await recommendations(page).first().innerText(), /%/);
  await page.getByTestId('operator-view').check();
  assert.match(await recommendations(page).first().innerText(), /%/);
  await page.getByTestId('operator-view').uncheck();
  const reason = await recommendations(page).first().locator('.reason').innerText();
  assert.notEqual(reason.trim(), '', 'a recommendation has no reason');

  // Adding a recommendation names the recommendations that it comes from.
  const recommended = recommendations(page).first();
  const recommendedId = await recommended.getAttribute('data-product-id');
  const second = await submitBy(page, () => recommended.getByRole('button').click());
  assert.equal(second.sent.recommendation_id, added.answer.recommendation_id);
  await waitForList(page, second.answer);
  assert.ok(
    !(await ids(recommendations(page))).includes(recommendedId),
    'an added product is recommended again',
  );

  await page.getByTestId('cart-button').click();
  const lines = page.getByTestId('cart-line');
  assert.deepEqual(await ids(lines), [product, recommendedId]);
  await assertAccessible(page, 'the cart');
  await screenshot(page, screenshots, 'shop-cart');
  const more = await submitBy(page, () =>
    lines.first().getByRole('button', { name: /more$/ }).click(),
  );
  assert.equal(more.sent.event, 'update_cart');
  assert.deepEqual(more.sent.items, [
    { product_id: product, quantity: 2 },
    { product_id: recommendedId, quantity: 1 },
  ]);
  const removed = await submitBy(page, () =>
    lines
      .nth(1)
      .getByRole('button', { name: /^Remove/ })
      .click(),
  );
  assert.deepEqual(
    [removed.sent.event, removed.sent.product_ids],
    ['remove_from_cart', [recommendedId]],
  );
  assert.equal(await lines.count(), 1);
  const undone = await submitBy(page, () => page.getByTestId('undo').click());
  assert.equal(undone.sent.event, 'update_cart');
  assert.deepEqual(await ids(lines), [product, recommendedId], 'undo does not restore the product');
  const bought = await submitBy(page, () => page.getByTestId('checkout').click());
  assert.equal(bought.sent.event, 'checkout');
  await page.getByTestId('order-done').filter({ hasText: 'Thank you' }).waitFor();
  assert.equal(await lines.count(), 0);
  assert.match(await cartLabel(page), /0 items/);
  await close(opened);
}

/** The products of the shelves of a page that have a placement. */
async function placed(page) {
  const cards = page.locator('[data-placement] [data-testid=product-card]');
  return ids(cards);
}

async function placements({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  const report = page.waitForRequest(
    (request) => request.url().endsWith('/v1/events') && /"impression"/.test(request.postData()),
  );
  await chooseShopper(page, 0);
  await shelf(page, 'home_buy_again').waitFor();
  await shelf(page, 'home_trending').waitFor();
  const home = await placed(page);
  assert.equal(new Set(home).size, home.length, 'a product stands twice on the front page');
  await assertAccessible(page, 'the front page with placements');
  await screenshot(page, screenshots, 'shop-placements');
  // What was on the screen is reported; what is further down is not.
  const reported = await report;
  const events = JSON.parse(reported.postData());
  assert.ok(events.every((event) => event.recommendation_id && event.product_ids.length > 0));

  const card = shelf(page, 'home_buy_again').getByTestId('product-card').first();
  const product = await card.getAttribute('data-product-id');
  const viewed = await submitBy(page, () => card.getByRole('link').click());
  assert.ok(viewed.sent.recommendation_id, 'the view does not name the list');
  await shelf(page, 'product').waitFor();
  const lists = await placed(page);
  assert.ok(!lists.includes(product), 'a product is recommended on its own page');
  assert.equal(new Set(lists).size, lists.length, 'a product stands twice on its page');
  await submitBy(page, () =>
    page.getByRole('button', { name: 'Add to cart', exact: true }).click(),
  );
  await page.getByTestId('cart-button').click();
  await shelf(page, 'cart').waitFor();
  assert.ok(!(await placed(page)).includes(product), 'the cart recommends what it holds');
  await submitBy(page, () => page.getByTestId('checkout').click());
  await shelf(page, 'checkout').waitFor();
  await close(opened);
}

async function backAgain({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await page.getByRole('navigation', { name: 'Departments' }).getByRole('link').first().click();
  await page.getByTestId('product-card').first().waitFor();
  const cards = page.getByTestId('product-card');
  await page.getByRole('button', { name: /^Show \d+ more/ }).click();
  await page.waitForFunction(
    () => document.querySelectorAll('[data-testid=product-card]').length > 24,
  );
  const count = await cards.count();
  await cards.last().scrollIntoViewIfNeeded();
  const before = await page.evaluate(() => window.scrollY);
  assert.ok(before > 0);
  await submitBy(page, () => cards.last().getByRole('link').click());
  await page.getByTestId('product').waitFor();
  await page.goBack();
  await page.waitForFunction(
    (n) => document.querySelectorAll('main [data-testid=product-card]').length >= n,
    count,
  );
  await page.waitForFunction((top) => Math.abs(window.scrollY - top) < 5, before);
  await close(opened);
}

async function twoTabs({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page, context } = opened;
  await recommendations(page).first().waitFor();
  const other = await context.newPage();
  await other.goto(baseUrl);
  await recommendations(other).first().waitFor();
  await submitBy(other, () => recommendations(other).first().getByRole('button').click());
  await page.getByTestId('cart-button').filter({ hasText: '1' }).waitFor();
  await close(opened);
}

async function newShopper({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await recommendations(page).first().waitFor();
  const before = await ids(recommendations(page));
  assert.equal(before.length, 10, 'a new shopper does not get 10 recommendations');
  const { sent, answer } = await submitBy(page, () =>
    page.getByTestId('product-card').first().getByRole('button').click(),
  );
  assert.match(sent.user_id, /^guest-[0-9a-f]{8}$/);
  await waitForList(page, answer);
  const goesWith = recommendations(page).filter({ hasText: 'Goes with' });
  assert.ok((await goesWith.count()) > 0, 'the first product does not change the recommendations');
  await page.reload();
  await page.getByTestId('cart-button').filter({ hasText: '1' }).waitFor();
  // The server has the cart too, for the shopper's other devices.
  const cart = await (await fetch(`${baseUrl}/v1/users/${sent.user_id}/cart`)).json();
  assert.equal(cart.items.length, 1);
  await page.getByTestId('shopper-button').click();
  await page.getByTestId('new-shopper').click();
  await page.getByTestId('cart-button').filter({ hasText: '0' }).waitFor();
  await close(opened);
}

async function search({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  const name = (await page.getByTestId('product-card').first().locator('.name').innerText()).trim();
  const field = page.getByRole('combobox', { name: 'Search products' });
  await field.pressSequentially(name);
  await page.getByTestId('search-option').filter({ hasText: name }).first().waitFor();
  await assertAccessible(page, 'the search');
  await page.keyboard.press('ArrowDown');
  assert.equal(await field.getAttribute('aria-activedescendant'), 'search-option-0');
  const { sent } = await submitBy(page, () => page.keyboard.press('Enter'));
  assert.deepEqual([sent.event, sent.query], ['search', name]);
  await page.getByRole('heading', { level: 1, name }).waitFor();
  await field.fill('no such thing');
  await page.getByText('No product matches “no such thing”.').waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('0 products').waitFor();
  await close(opened);
}

// A word of products in several aisles, and the same word with two letters swapped.
async function misspelled(baseUrl) {
  const get = async (path) => (await fetch(baseUrl + path)).json();
  const { products } = await get('/v1/products?limit=100');
  const words = products.flatMap(({ product_name }) => product_name.toLowerCase().split(' '));
  for (const word of words.filter((word) => /^[a-z]{6,}$/.test(word) && word[2] !== word[3])) {
    const { facets } = await get(`/v1/search?q=${word}&limit=1`);
    if (facets.aisles.length > 1)
      return [word, word.slice(0, 2) + word[3] + word[2] + word.slice(4)];
  }
  return assert.fail('no word is in several aisles');
}

async function searchPage({ browser, baseUrl, screenshots }) {
  const [word, typo] = await misspelled(baseUrl);
  const options = { viewport: { width: 360, height: 740 }, colorScheme: 'dark' };
  const opened = await openPage(browser, baseUrl, options);
  const { page } = opened;
  const field = page.getByRole('combobox', { name: 'Search products' });
  const total = page.getByTestId('search-count');
  await field.fill(typo);
  await page
    .getByTestId('search-option')
    .filter({ hasText: new RegExp(word, 'i') })
    .first()
    .waitFor();
  await page.keyboard.press('Enter');
  // The typo is corrected.
  await total.filter({ hasText: `for “${word}”` }).waitFor();
  assert.match(await page.getByTestId('product-card').first().innerText(), new RegExp(word, 'i'));
  await assertNoSidewaysScroll(page, 'the results of a search');
  await assertAccessible(page, 'the results of a search in dark mode');
  await screenshot(page, screenshots, 'shop-search-360-dark');

  // A filter leaves as many products as it says, and can be removed.
  await field.fill(word);
  await page.keyboard.press('Enter');
  await total.filter({ hasText: /products?$/ }).waitFor();
  const all = await total.innerText();
  const aisles = page.getByRole('group', { name: 'Aisle' });
  const least = aisles.getByTestId('facet').last();
  const count = (await least.locator('small').innerText()).trim();
  await least.focus();
  await page.keyboard.press('Enter');
  await total.filter({ hasText: new RegExp(`^${count} products?$`) }).waitFor();
  await page.getByRole('link', { name: /remove this filter/ }).click();
  await total.filter({ hasText: all }).waitFor();
  await page.getByRole('combobox', { name: 'Sort by' }).selectOption('popular');
  await page.waitForURL(/sort=popular/);

  // Where nothing is found, another query is offered, in the field and on the page.
  await field.fill(`${word} zzqqzz`);
  await page.getByTestId('search-suggestion').filter({ hasText: word }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByTestId('did-you-mean').getByRole('link', { name: word }).click();
  await total.filter({ hasText: all }).waitFor();
  assert.equal(await field.inputValue(), word);
  await close(opened);
}

async function notFound({ browser, baseUrl }) {
  const { context, page, faults } = await openPage(browser, `${baseUrl}/no-such-page`);
  await page.getByRole('heading', { level: 1, name: 'Page not found' }).waitFor();
  assert.equal(await page.title(), 'Page not found · Cartwheel');
  await assertAccessible(page, 'the page “not found”');
  const response = await fetch(`${baseUrl}/no-such-page`);
  assert.equal(response.status, 404);
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  await page.getByRole('link', { name: 'Go to the front page' }).click();
  await page.getByTestId('product-card').first().waitFor();
  await close({ context, faults }, [/status of 404/]);
}

async function serverDown({ browser, baseUrl, server }) {
  const { context, page, faults } = await openPage(browser, baseUrl);
  await page.getByTestId('product-card').first().waitFor();
  const cards = page.getByTestId('product-card');
  const first = await submitBy(page, () => cards.nth(0).getByRole('button').click());
  const user = first.sent.user_id;
  await server.stop();
  await cards.nth(1).getByRole('button').click();
  await cards.nth(2).getByRole('button').click();
  // The page still works: the cart has all three products, two of them not sent yet.
  assert.match(await cartLabel(page), /3 items/);
  const status = page.getByTestId('outbox-status');
  await status.filter({ hasText: '2 actions waiting to be sent' }).waitFor();
  await page.getByText('The server is unreachable.').waitFor();

  const sent = [];
  page.on('request', (request) => {
    if (request.url().endsWith('/submit')) sent.push(request.postDataJSON().event_id);
  });
  await server.start();
  await status.waitFor({ state: 'detached', timeout: 40_000 });
  const added = await Promise.all(
    [0, 1, 2].map((index) => cards.nth(index).getAttribute('data-product-id')),
  );
  const readCart = async () => (await fetch(`${baseUrl}/v1/users/${user}/cart`)).json();
  let cart = await readCart();
  // The status may be gone between two actions that are being sent.
  for (let tries = 0; cart.items.length < added.length && tries < 50; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    cart = await readCart();
  }
  assert.deepEqual(
    cart.items.map(({ product_id, quantity }) => [product_id, quantity]),
    added.map((id) => [id, 1]),
    'an action made while the server was down is lost or counted twice',
  );
  assert.equal(new Set(sent).size, 2, 'an event was sent again under a new id');
  await close({ context, faults }, CONNECTION_LOST);
}

async function offlineReload({ browser, baseUrl }) {
  const { context, page, faults } = await openPage(browser, baseUrl);
  await page.getByTestId('product-card').first().waitFor();
  // Only the API fails, so that the page itself can be reloaded.
  await page.route('**/submit', (route) => route.abort('internetdisconnected'));
  await page.getByTestId('product-card').first().getByRole('button').click();
  await page
    .getByTestId('outbox-status')
    .filter({ hasText: '1 action waiting to be sent' })
    .waitFor();
  await assertAccessible(page, 'the shop without a connection');
  await page.reload();
  await page.getByTestId('cart-button').filter({ hasText: '1' }).waitFor();
  await page.getByTestId('outbox-status').waitFor();
  await page.unroute('**/submit');
  const { sent } = await submitBy(page, () =>
    page.getByRole('button', { name: 'Send now' }).first().click(),
  );
  assert.equal(sent.event, 'add_to_cart');
  await page.getByTestId('outbox-status').waitFor({ state: 'detached' });
  await close({ context, faults }, CONNECTION_LOST);
}

async function refused({ browser, baseUrl }) {
  const { context, page, faults } = await openPage(browser, baseUrl);
  await page.getByTestId('product-card').first().waitFor();
  const problem = {
    type: 'urn:cartwheel:problem:invalid-field',
    title: 'A field is not valid',
    status: 400,
    detail: 'The shop is closed today.',
  };
  await page.route('**/submit', (route) =>
    route.fulfill({ status: 400, contentType: 'application/problem+json', json: problem }),
  );
  await page.getByTestId('product-card').first().getByRole('button').click();
  await page.getByTestId('notice').filter({ hasText: 'Undone: The shop is closed' }).waitFor();
  assert.match(await cartLabel(page), /0 items/, 'a refused product is still in the cart');
  await close({ context, faults }, [/status of 400/]);
}

async function keyboard({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await page.getByTestId('product-card').first().waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const focusedId = await page.evaluate(() => document.activeElement.id);
  assert.equal(focusedId, 'main', 'the skip link does not lead to the content');
  const addHasFocus = () => /^Add .* to cart$/.test(document.activeElement.ariaLabel ?? '');
  await tabTo(page, addHasFocus, 'a button that adds a product');
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(ring, 'none', 'the focus is not visible');
  await submitBy(page, () => page.keyboard.press('Enter'));
  await page.reload();
  await page.getByTestId('cart-button').filter({ hasText: '1' }).waitFor();
  const cartHasFocus = () => document.activeElement.dataset.testid === 'cart-button';
  await tabTo(page, cartHasFocus, 'the cart');
  await page.keyboard.press('Enter');
  const checkoutHasFocus = () => document.activeElement.dataset.testid === 'checkout';
  await tabTo(page, checkoutHasFocus, 'the checkout');
  const { sent } = await submitBy(page, () => page.keyboard.press('Enter'));
  assert.equal(sent.event, 'checkout');
  await page.getByTestId('order-done').waitFor();
  await page.keyboard.press('Escape');
  assert.equal(
    await page.evaluate(() => document.activeElement.dataset.testid),
    'cart-button',
    'closing the cart does not restore the focus',
  );
  await close(opened);
}

async function narrowAndDark({ browser, baseUrl, screenshots }) {
  const options = { viewport: { width: 360, height: 740 }, colorScheme: 'dark' };
  const opened = await openPage(browser, baseUrl, options);
  const { page } = opened;
  await shelf(page, 'home').getByTestId('product-card').first().waitFor();
  await assertNoSidewaysScroll(page, 'the front page');
  await assertAccessible(page, 'the front page in dark mode');
  await screenshot(page, screenshots, 'shop-360-dark');
  await submitBy(page, () => page.getByTestId('product-card').first().getByRole('link').click());
  await page.getByTestId('product').waitFor();
  await assertNoSidewaysScroll(page, 'a product');
  await assertAccessible(page, 'a product in dark mode');
  await submitBy(page, () =>
    page.getByRole('button', { name: 'Add to cart', exact: true }).click(),
  );
  await page.getByTestId('cart-button').click();
  await page.getByTestId('cart-line').waitFor();
  await assertNoSidewaysScroll(page, 'the cart');
  await assertAccessible(page, 'the cart in dark mode');
  await close(opened);
}

async function firstLoad({ browser, baseUrl }) {
  const { context, page, faults } = await openPage(browser, baseUrl);
  const files = await page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .filter(({ name }) => name.includes('/assets/'))
      .map(({ name }) => name),
  );
  const { gzipSync } = await import('node:zlib');
  const sizes = await Promise.all(
    [baseUrl, ...files].map(async (file) => {
      const bytes = Buffer.from(await (await fetch(file)).arrayBuffer());
      return gzipSync(bytes).length;
    }),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(total <= 120_000, `the first load is ${total} bytes, gzipped`);
  await close({ context, faults });
}

async function guide({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  const current = page.getByTestId('guide').locator('[aria-current=step]');
  await current.filter({ hasText: 'Put something into the cart' }).waitFor();
  const card = page.getByTestId('product-card').first();
  await submitBy(page, () => card.getByRole('button', { name: /^Add/ }).click());
  // What changed is said where the visitor looks.
  await current.filter({ hasText: 'Follow the event' }).waitFor();
  await page.getByTestId('guide').getByRole('button', { name: 'Hide' }).click();
  await page.reload();
  await card.waitFor();
  assert.equal(await page.getByTestId('guide').count(), 0, 'the hidden guide is back');
  await close(opened);
}

export const steps = [
  ['shop: the guide leads from the cart to the console', guide],
  ['shop: a shopper browses, adds, undoes and buys', journey],
  ['shop: recommendations for a new shopper', newShopper],
  ['shop: the lists of the front page, of a product and of the cart', placements],
  ['shop: back leads to the same place of a list', backAgain],
  ['shop: tabs share one cart', twoTabs],
  ['shop: search as you type', search],
  ['shop: a search corrects, filters and suggests', searchPage],
  ['shop: an unknown address shows the page “not found”', notFound],
  ['shop: no action is lost while the server is down', serverDown],
  ['shop: waiting events survive a reload', offlineReload],
  ['shop: a refused event is undone', refused],
  ['shop: the keyboard alone can buy', keyboard],
  ['shop: the shop fits 360 px in dark mode', narrowAndDark],
  ['shop: the first load is at most 120 kB', firstLoad],
];
