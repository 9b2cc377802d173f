// End-to-end tests of the catalogue: what the console changes, the shop shows.
import assert from 'node:assert/strict';
import { assertAccessible, close, openPage, screenshot } from './browser.mjs';

const recommendations = (page) => page.getByRole('complementary').getByTestId('recommendation');
const ids = (items) => items.evaluateAll((all) => all.map((item) => item.dataset.productId));

async function ask(url, method = 'GET', body = undefined) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(response.ok, `${method} ${url} answered ${response.status}`);
  return response.json();
}

// A shopper with a purchase history, the `place`th of the list, and what is recommended to them.
// Events of a page may still be on their way when it is closed: tests that compare answers do
// not share a shopper.
async function example(baseUrl, place) {
  const { users } = await ask(`${baseUrl}/v1/users?limit=${place + 1}`);
  const user = users[place].user_id;
  const body = { user_id: user, limit: 10 };
  const answer = await ask(`${baseUrl}/v1/recommendations`, 'POST', body);
  return { user, products: answer.recommendations };
}

// Opens the shop as `user`.
async function openShop(browser, baseUrl, user) {
  const opened = await openPage(browser, baseUrl);
  await opened.page.evaluate((id) => localStorage.setItem('cartwheel.shopper.v1', id), user);
  await opened.page.reload();
  await recommendations(opened.page).first().waitFor();
  return opened;
}

async function save(page) {
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByTestId('offer-status').filter({ hasText: 'Saved' }).waitFor();
}

async function editPrice({ browser, baseUrl, screenshots }) {
  const { user, products } = await example(baseUrl, 0);
  const [product] = products;
  const opened = await openPage(browser, `${baseUrl}/console/catalogue`);
  const { page } = opened;
  const rows = page.getByTestId('catalogue-row');
  await rows.first().waitFor();
  await assertAccessible(page, 'the catalogue');
  await screenshot(page, screenshots, 'console-catalogue');
  await page.getByLabel('Visibility').selectOption('hidden');
  // Some products of the generated shop are out of stock.
  await page.getByTestId('catalogue-count').filter({ hasNotText: '400' }).waitFor();
  await rows.filter({ hasText: 'out of stock' }).first().waitFor();
  await page.goBack();
  await rows.first().waitFor();
  await page.getByLabel('Search').fill(product.product_name);
  await page.keyboard.press('Enter');
  const row = page.locator(`[data-testid=catalogue-row][data-product-id="${product.product_id}"]`);
  await page.getByTestId('catalogue-count').filter({ hasNotText: '400' }).waitFor();
  await row.getByRole('link').click();
  await page.getByRole('heading', { level: 1, name: product.product_name }).waitFor();

  const price = page.getByLabel('Price', { exact: true });
  await price.fill('12,90');
  await page.getByLabel('Currency').fill('eur');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Write an amount with a point').waitFor();
  assert.equal(await price.getAttribute('aria-invalid'), 'true');
  await assertAccessible(page, 'a price that is not valid');
  await price.fill('12.90');
  await page.getByLabel('Price before').fill('15');
  await save(page);
  await screenshot(page, screenshots, 'console-product');
  await close(opened);

  // The shop shows the price at once: on the product, in the list and in the cart's total.
  const shop = await openShop(browser, baseUrl, user);
  const card = recommendations(shop.page).first();
  assert.equal(await card.getAttribute('data-product-id'), product.product_id);
  await card.getByText('€12.90').waitFor();
  await card.locator('.name').click();
  const shown = shop.page.getByTestId('product');
  await shown.getByText('€12.90').waitFor();
  await shown.getByText('€15.00').waitFor();
  await shop.page.getByLabel('Quantity').fill('3');
  await shop.page.getByRole('button', { name: 'Add to cart', exact: true }).click();
  await shown.getByTestId('in-cart').filter({ hasText: '3 in the cart' }).waitFor();
  await assertAccessible(shop.page, 'a product with a price');
  await shop.page.getByTestId('cart-button').click();
  await shop.page.getByTestId('cart-total').filter({ hasText: '€38.70' }).waitFor();
  await assertAccessible(shop.page, 'a cart with prices');
  await screenshot(shop.page, screenshots, 'shop-total');
  await shop.page.getByRole('button', { name: /^Remove/ }).click();
  await close(shop);
}

async function outOfStock({ browser, baseUrl, screenshots }) {
  const { user, products } = await example(baseUrl, 1);
  const [{ product_id: id, product_name: name }] = products;
  const address = `${baseUrl}/console/catalogue/${encodeURIComponent(id)}`;
  const opened = await openPage(browser, `${address}?user=${user}`);
  const { page } = opened;
  const answer = page.getByTestId('next-answer');
  await answer.filter({ hasText: `${name} is number 1 of 10 for ${user}` }).waitFor();
  await page.getByLabel('Pieces in stock').fill('0');
  await save(page);
  await answer.filter({ hasText: 'is not recommended to anybody: out of stock' }).waitFor();
  await answer.filter({ hasText: `dropped (${name})` }).waitFor();
  const rows = page.getByTestId('answer-row');
  assert.equal(await rows.count(), 10, 'the list is shorter without the product');
  assert.ok(!(await ids(rows)).includes(id), 'the product is still in the next answer');
  await assertAccessible(page, 'a product that is out of stock');
  await screenshot(page, screenshots, 'console-out-of-stock');

  const shop = await openShop(browser, baseUrl, user);
  const listed = await ids(recommendations(shop.page));
  assert.equal(listed.length, 10);
  assert.ok(!listed.includes(id), 'the shop still recommends the product');
  await shop.page.goto(`${baseUrl}/product/${encodeURIComponent(id)}`);
  await shop.page.getByTestId('product').getByText('Out of stock').waitFor();
  const add = shop.page.getByRole('button', { name: 'Add to cart', exact: true });
  assert.ok(await add.isDisabled(), 'a product out of stock can be added to the cart');
  await assertAccessible(shop.page, 'a product out of stock in the shop');
  await close(shop);

  await page.getByLabel('Pieces in stock').fill('5');
  await save(page);
  await answer.filter({ hasText: `${name} is number 1 of 10` }).waitFor();
  await close(opened);
}

async function conflictingEdits({ browser, baseUrl }) {
  const { products } = await example(baseUrl, 0);
  const { product_id: id } = products[2];
  const opened = await openPage(browser, `${baseUrl}/console/catalogue/${encodeURIComponent(id)}`);
  const { page } = opened;
  const stock = page.getByLabel('Pieces in stock');
  await stock.fill('7');
  await save(page);
  // Somebody else changes the product meanwhile.
  await ask(`${baseUrl}/v1/products/${encodeURIComponent(id)}`, 'PATCH', { stock: 3 });
  await stock.fill('8');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('The product has changed since').waitFor();
  await page.getByRole('button', { name: 'Load the current values' }).click();
  await page.waitForFunction(() => document.querySelector('[name=stock]').value === '3');
  await page.getByLabel('Hide from shoppers').check();
  await save(page);
  await page.getByTestId('visibility').filter({ hasText: 'Hidden' }).waitFor();
  await page.getByLabel('Hide from shoppers').uncheck();
  await save(page);
  await close(opened, [/status of 412/]);
}

async function unknownProducts({ browser, baseUrl }) {
  const names = ['café crème', 'sku-1'];
  const event = { user_id: 'somebody', event: 'view', product_ids: names };
  await ask(`${baseUrl}/submit`, 'POST', event);
  const opened = await openPage(browser, `${baseUrl}/console/catalogue`);
  const { page } = opened;
  await page.getByRole('link', { name: 'Unknown products' }).click();
  const row = (id) => page.locator(`[data-testid=unknown-row][data-product-id="${id}"]`);
  await row('sku-1').waitFor();
  await assertAccessible(page, 'the unknown products');
  await row('café crème').getByRole('button', { name: 'Name café crème' }).click();
  const dialog = page.getByRole('dialog', { name: 'Name a product' });
  await dialog.getByLabel('Name').fill('Coffee with cream');
  await dialog.getByLabel('Categories').fill('Drinks > Coffee');
  await assertAccessible(page, 'the dialog that names a product');
  await dialog.getByRole('button', { name: 'Add to the catalogue' }).click();
  await row('café crème').waitFor({ state: 'detached' });
  await row('sku-1').getByRole('button', { name: 'Ignore sku-1' }).click();
  await page.getByTestId('confirm').click();
  await row('sku-1').waitFor({ state: 'detached' });
  await page.goto(`${baseUrl}/product/${encodeURIComponent('café crème')}`);
  await page.getByRole('heading', { level: 1, name: 'Coffee with cream' }).waitFor();
  await close(opened);
}

async function buyAgain({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await page.getByRole('link', { name: 'Orders', exact: true }).click();
  await page.getByText('You have not ordered anything yet.').waitFor();
  await page.goBack();
  const cards = page.getByTestId('product-card');
  await cards.first().waitFor();
  const bought = await Promise.all(
    [0, 1].map((at) => cards.nth(at).getAttribute('data-product-id')),
  );
  for (const at of [0, 1]) await cards.nth(at).getByRole('button').click();
  await cards.first().getByTestId('in-cart').filter({ hasText: '1 in the cart' }).waitFor();
  await page.getByTestId('cart-button').filter({ hasText: '2' }).click();
  await page.getByTestId('checkout').click();
  await page.getByRole('link', { name: 'See your orders' }).click();
  const order = page.getByTestId('order');
  await order.waitFor();
  assert.deepEqual(await ids(order.getByRole('listitem')), bought);
  await assertAccessible(page, 'the orders');
  await screenshot(page, screenshots, 'shop-orders');

  // A product that is out of stock by now is left out.
  const path = `${baseUrl}/v1/products/${encodeURIComponent(bought[0])}`;
  await ask(path, 'PATCH', { in_stock: false });
  await page.reload();
  await order.getByText('Out of stock').waitFor();
  await order.getByTestId('buy-again').click();
  await page.getByTestId('cart-button').filter({ hasText: '1' }).click();
  assert.deepEqual(await ids(page.getByTestId('cart-line')), [bought[1]]);
  // A product in the cart that runs out has to leave it before the checkout.
  await page.keyboard.press('Escape');
  const other = `${baseUrl}/v1/products/${encodeURIComponent(bought[1])}`;
  await ask(other, 'PATCH', { in_stock: false });
  await page.getByTestId('cart-button').click();
  await page
    .locator('#cart-missing')
    .filter({ hasText: '1 product cannot be bought now' })
    .waitFor();
  assert.ok(await page.getByTestId('checkout').isDisabled());
  await assertAccessible(page, 'a cart with a product out of stock');
  for (const product of [path, other]) await ask(product, 'PATCH', { in_stock: null });
  await close(opened);
}

async function pictures({ browser, baseUrl }) {
  const { products } = await ask(`${baseUrl}/v1/products?limit=2`);
  const addresses = products.map(({ product_id: id }) => `${baseUrl}/v1/products/${id}`);
  await ask(addresses[0], 'PATCH', { image_url: '/favicon.svg' });
  await ask(addresses[1], 'PATCH', { image_url: 'https://elsewhere.example/tea.png' });
  const opened = await openPage(browser, `${baseUrl}/product/${products[0].product_id}`);
  const { page } = opened;
  const picture = page.getByTestId('product').locator('img');
  await picture.waitFor();
  assert.ok(await picture.evaluate((image) => image.complete && image.naturalWidth > 0));
  // The policy blocks the other host before anything is sent, so the page draws the product.
  const failures = [];
  page.on('requestfailed', (request) =>
    failures.push([request.url(), request.failure().errorText]),
  );
  await page.goto(`${baseUrl}/product/${products[1].product_id}`);
  await page.getByTestId('product').locator('svg.tile').waitFor();
  assert.equal(await page.getByTestId('product').locator('img').count(), 0);
  assert.deepEqual(failures[0], ['https://elsewhere.example/tea.png', 'csp']);
  for (const address of addresses) await ask(address, 'PATCH', { image_url: null });
  await close(opened, [/elsewhere\.example/]);
}

export const steps = [
  ['catalogue: a price edited in the console is the price in the shop', editPrice],
  ['catalogue: a product out of stock leaves the recommendations', outOfStock],
  ['catalogue: an edit does not undo the change of another', conflictingEdits],
  ['catalogue: unknown products are named and ignored', unknownProducts],
  ['catalogue: a shopper sees the orders and buys again', buyAgain],
  ['catalogue: pictures come from hosts that the policy names', pictures],
];
