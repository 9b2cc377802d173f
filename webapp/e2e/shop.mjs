// What a shopper does in the shop, step by step.
import assert from 'node:assert/strict';
import { accessible, close, noSidewaysScroll, openPage, screenshot, tabTo } from './browser.mjs';

// What a connection that is cut leaves in the console.
const CUT = [/ERR_CONNECTION_REFUSED/, /ERR_INTERNET_DISCONNECTED/, /ERR_CONNECTION_RESET/];

const recommendations = (page) => page.getByRole('complementary').getByTestId('recommendation');
const ids = (items) => items.evaluateAll((all) => all.map((item) => item.dataset.productId));
const pieces = (page) => page.getByTestId('cart-button').getAttribute('aria-label');

// The event that `action` sends, with its answer.
async function eventOf(page, action) {
  const [response] = await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).pathname === '/submit'),
    action(),
  ]);
  assert.equal(response.status(), 200, `/submit answered ${response.status()}`);
  return { sent: response.request().postDataJSON(), answer: await response.json() };
}

// The list beside the content is the answer's.
async function follows(page, answer) {
  const expected = answer.recommendations.map((entry) => entry.product_id).join(' ');
  await page.waitForFunction(
    (wanted) =>
      [...document.querySelectorAll('aside [data-testid=recommendation]')]
        .map((item) => item.dataset.productId)
        .join(' ') === wanted,
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
  await accessible(page, 'the start of the shop');
  await screenshot(page, screenshots, 'shop');
  await page.getByTestId('shopper-button').click();
  await page.getByTestId('shopper-option').first().waitFor();
  await accessible(page, 'the choice of a shopper');
  await screenshot(page, screenshots, 'shop-picker');
  await page.keyboard.press('Escape');
  const user = await chooseShopper(page, 0);

  // By department, aisle and page to a product, which is looked at.
  await page.getByRole('navigation', { name: 'Departments' }).getByRole('link').first().click();
  const aisles = page.getByRole('list', { name: /^Aisles of/ }).getByRole('link');
  await aisles.first().click();
  await page.getByTestId('product-card').first().waitFor();
  const card = page.getByTestId('product-card').first();
  const product = await card.getAttribute('data-product-id');
  const viewed = await eventOf(page, () => card.getByRole('link').click());
  assert.deepEqual(
    [viewed.sent.event, viewed.sent.user_id, viewed.sent.product_ids],
    ['view', user, [product]],
  );
  await page.getByTestId('product').waitFor();
  await accessible(page, 'a product');
  await screenshot(page, screenshots, 'shop-product');

  const before = await ids(recommendations(page));
  const added = await eventOf(page, () =>
    page.getByRole('button', { name: 'Add to the cart', exact: true }).click(),
  );
  assert.deepEqual(added.sent.items, [{ product_id: product, quantity: 1 }]);
  await follows(page, added.answer);
  assert.notDeepEqual(
    await ids(recommendations(page)),
    before,
    'the list does not follow the cart',
  );
  assert.match(await recommendations(page).first().innerText(), /%/);
  const reason = await recommendations(page).first().locator('.reason').innerText();
  assert.notEqual(reason.trim(), '', 'a recommendation gives no reason');

  // A recommendation is added as one, in one click.
  const wanted = recommendations(page).first();
  const wantedId = await wanted.getAttribute('data-product-id');
  const second = await eventOf(page, () => wanted.getByRole('button').click());
  assert.equal(second.sent.recommendation_id, added.answer.recommendation_id);
  await follows(page, second.answer);
  assert.ok(!(await ids(recommendations(page))).includes(wantedId), 'it is recommended again');

  await page.getByTestId('cart-button').click();
  const lines = page.getByTestId('cart-line');
  assert.deepEqual(await ids(lines), [product, wantedId]);
  await accessible(page, 'the cart');
  await screenshot(page, screenshots, 'shop-cart');
  const more = await eventOf(page, () =>
    lines.first().getByRole('button', { name: /more$/ }).click(),
  );
  assert.equal(more.sent.event, 'update_cart');
  assert.deepEqual(more.sent.items, [
    { product_id: product, quantity: 2 },
    { product_id: wantedId, quantity: 1 },
  ]);
  const removed = await eventOf(page, () =>
    lines
      .nth(1)
      .getByRole('button', { name: /^Remove/ })
      .click(),
  );
  assert.deepEqual(
    [removed.sent.event, removed.sent.product_ids],
    ['remove_from_cart', [wantedId]],
  );
  assert.equal(await lines.count(), 1);
  const undone = await eventOf(page, () => page.getByTestId('undo').click());
  assert.equal(undone.sent.event, 'update_cart');
  assert.deepEqual(await ids(lines), [product, wantedId], 'undo does not bring the product back');
  const bought = await eventOf(page, () => page.getByTestId('checkout').click());
  assert.equal(bought.sent.event, 'checkout');
  await page.getByTestId('order-done').filter({ hasText: 'Thank you' }).waitFor();
  assert.equal(await lines.count(), 0);
  assert.match(await pieces(page), /0 pieces/);
  await close(opened);
}

async function unknownShopper({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await recommendations(page).first().waitFor();
  const before = await ids(recommendations(page));
  assert.equal(before.length, 10, 'an unknown shopper gets no list of 10');
  const { sent, answer } = await eventOf(page, () =>
    page.getByTestId('product-card').first().getByRole('button').click(),
  );
  assert.match(sent.user_id, /^guest-[0-9a-f]{8}$/);
  await follows(page, answer);
  const goesWith = recommendations(page).filter({ hasText: 'Goes with' });
  assert.ok((await goesWith.count()) > 0, 'the first click changes nothing for a new shopper');
  await page.reload();
  await page.getByTestId('cart-button').filter({ hasText: '1' }).waitFor();
  // The server knows the cart too, wherever the shopper comes from next.
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
  await accessible(page, 'the search');
  await page.keyboard.press('ArrowDown');
  assert.equal(await field.getAttribute('aria-activedescendant'), 'search-option-0');
  const { sent } = await eventOf(page, () => page.keyboard.press('Enter'));
  assert.equal(sent.event, 'view');
  await page.getByRole('heading', { level: 1, name }).waitFor();
  await field.fill('no such thing');
  await page.getByText('Nothing is called “no such thing”.').waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('0 products').waitFor();
  await close(opened);
}

async function serverAway({ browser, baseUrl, server }) {
  const { context, page, faults } = await openPage(browser, baseUrl);
  await page.getByTestId('product-card').first().waitFor();
  const cards = page.getByTestId('product-card');
  const first = await eventOf(page, () => cards.nth(0).getByRole('button').click());
  const user = first.sent.user_id;
  await server.stop();
  await cards.nth(1).getByRole('button').click();
  await cards.nth(2).getByRole('button').click();
  // The page goes on: the cart holds all three, and says what is kept.
  assert.match(await pieces(page), /3 pieces/);
  const status = page.getByTestId('outbox-status');
  await status.filter({ hasText: '2 actions are kept' }).waitFor();
  await page.getByText('The server cannot be reached.').waitFor();

  const sent = [];
  page.on('request', (request) => {
    if (request.url().endsWith('/submit')) sent.push(request.postDataJSON().event_id);
  });
  await server.start();
  await status.waitFor({ state: 'detached', timeout: 40_000 });
  const wanted = await Promise.all(
    [0, 1, 2].map((at) => cards.nth(at).getAttribute('data-product-id')),
  );
  const cart = await (await fetch(`${baseUrl}/v1/users/${user}/cart`)).json();
  assert.deepEqual(
    cart.items.map(({ product_id, quantity }) => [product_id, quantity]),
    wanted.map((id) => [id, 1]),
    'what was done while the server was away is lost, or counted twice',
  );
  assert.equal(new Set(sent).size, 2, 'an event was sent again under another id');
  await close({ context, faults }, CUT);
}

async function offlineReload({ browser, baseUrl }) {
  const { context, page, faults } = await openPage(browser, baseUrl);
  await page.getByTestId('product-card').first().waitFor();
  // Only the API is away, so that the page itself can be loaded again.
  await page.route('**/submit', (route) => route.abort('internetdisconnected'));
  await page.getByTestId('product-card').first().getByRole('button').click();
  await page.getByTestId('outbox-status').filter({ hasText: '1 action is kept' }).waitFor();
  await accessible(page, 'the shop without a server');
  await page.reload();
  await page.getByTestId('cart-button').filter({ hasText: '1' }).waitFor();
  await page.getByTestId('outbox-status').waitFor();
  await page.unroute('**/submit');
  const { sent } = await eventOf(page, () =>
    page.getByRole('button', { name: 'Send now' }).first().click(),
  );
  assert.equal(sent.event, 'add_to_cart');
  await page.getByTestId('outbox-status').waitFor({ state: 'detached' });
  await close({ context, faults }, CUT);
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
  await page.getByTestId('notice').filter({ hasText: 'Taken back: The shop is closed' }).waitFor();
  assert.match(await pieces(page), /0 pieces/, 'what the server refused is still in the cart');
  await close({ context, faults }, [/status of 400/]);
}

async function keyboard({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await page.getByTestId('product-card').first().waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const at = () => page.evaluate(() => document.activeElement.id);
  assert.equal(await at(), 'main', 'the skip link does not lead to the content');
  const addHasFocus = () => /^Add .* to the cart$/.test(document.activeElement.ariaLabel ?? '');
  await tabTo(page, addHasFocus, 'a button that adds a product');
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(ring, 'none', 'the focus cannot be seen');
  await eventOf(page, () => page.keyboard.press('Enter'));
  await page.reload();
  await page.getByTestId('cart-button').filter({ hasText: '1' }).waitFor();
  const cartHasFocus = () => document.activeElement.dataset.testid === 'cart-button';
  await tabTo(page, cartHasFocus, 'the cart');
  await page.keyboard.press('Enter');
  const checkoutHasFocus = () => document.activeElement.dataset.testid === 'checkout';
  await tabTo(page, checkoutHasFocus, 'the checkout');
  const { sent } = await eventOf(page, () => page.keyboard.press('Enter'));
  assert.equal(sent.event, 'checkout');
  await page.getByTestId('order-done').waitFor();
  await page.keyboard.press('Escape');
  assert.equal(
    await page.evaluate(() => document.activeElement.dataset.testid),
    'cart-button',
    'closing the cart does not give the focus back',
  );
  await close(opened);
}

async function narrowAndDark({ browser, baseUrl, screenshots }) {
  const options = { viewport: { width: 360, height: 740 }, colorScheme: 'dark' };
  const opened = await openPage(browser, baseUrl, options);
  const { page } = opened;
  await page.getByTestId('product-card').first().waitFor();
  await recommendations(page).first().waitFor();
  await noSidewaysScroll(page, 'the start of the shop');
  await accessible(page, 'the dark shop');
  await screenshot(page, screenshots, 'shop-360-dark');
  await eventOf(page, () => page.getByTestId('product-card').first().getByRole('link').click());
  await page.getByTestId('product').waitFor();
  await noSidewaysScroll(page, 'a product');
  await accessible(page, 'a dark product');
  await eventOf(page, () =>
    page.getByRole('button', { name: 'Add to the cart', exact: true }).click(),
  );
  await page.getByTestId('cart-button').click();
  await page.getByTestId('cart-line').waitFor();
  await noSidewaysScroll(page, 'the cart');
  await accessible(page, 'the dark cart');
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

export const steps = [
  ['shop: a shopper browses, adds, undoes and buys', journey],
  ['shop: an unknown shopper, from the first click', unknownShopper],
  ['shop: search as you type', search],
  ['shop: the server goes and comes back, and nothing is lost', serverAway],
  ['shop: what is kept outlives a reload', offlineReload],
  ['shop: what is refused is taken back', refused],
  ['shop: the keyboard alone buys', keyboard],
  ['shop: 360 px, dark', narrowAndDark],
  ['shop: the first load is at most 120 kB', firstLoad],
];
