// End-to-end tests of the event form. Each step opens a page of its own.
import assert from 'node:assert/strict';
import {
  assertAccessible,
  close,
  assertNoSidewaysScroll,
  openPage as open,
  screenshot,
  tabTo,
} from './browser.mjs';

const openPage = (browser, baseUrl, options) => open(browser, `${baseUrl}/send`, options);

const rows = (page) => page.getByTestId('rows').locator('li');

async function productIds(page) {
  return rows(page).evaluateAll((items) => items.map((item) => item.dataset.productId));
}

async function pickUser(page, index = 0) {
  const user = page.getByRole('list', { name: 'Example users' }).getByRole('button').nth(index);
  await user.click();
  const id = await page.getByLabel('User id').inputValue();
  assert.notEqual(id, '', 'an example user did not fill the user field');
  return id;
}

// The event that `action` sends, with the server's response.
async function submitBy(page, action) {
  const [response] = await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).pathname === '/submit'),
    action(),
  ]);
  assert.equal(response.status(), 200, `/submit answered ${response.status()}`);
  const answer = await response.json();
  // The page has processed the response once the button is enabled again.
  await page.locator('[data-testid=send][aria-disabled=false]').waitFor();
  return { sent: response.request().postDataJSON(), answer };
}

async function getRecommendations(page, index = 0) {
  await pickUser(page, index);
  return submitBy(page, () => page.getByRole('button', { name: 'Send', exact: true }).click());
}

async function recommendations({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  assert.equal(await page.getByRole('main').count(), 1, 'there is no main landmark');
  const { sent, answer } = await getRecommendations(page);
  assert.equal(sent.event, 'get_recommendations');
  assert.equal(await rows(page).count(), 10, 'the list does not have 10 rows');
  assert.deepEqual(
    await productIds(page),
    answer.recommendations.map((entry) => entry.product_id),
    'the rows are not in the order of the response',
  );
  for (const [index, entry] of answer.recommendations.entries()) {
    const name = (await rows(page).nth(index).locator('.name').innerText()).trim();
    assert.notEqual(name, '', `row ${index + 1} has no name`);
    assert.equal(name, entry.product_name.trim(), `row ${index + 1} shows the wrong name`);
  }
  await assertAccessible(page, 'the form');
  await screenshot(page, screenshots, 'send');
  await close(opened);
}

async function cartChangesTheList({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await getRecommendations(page, 1);
  const before = await productIds(page);
  const name = await rows(page).first().locator('.name').innerText();
  const { sent } = await submitBy(page, () => rows(page).first().locator('button.add').click());
  assert.equal(sent.event, 'add_to_cart');
  assert.deepEqual(sent.product_ids, [before[0]]);
  const after = await productIds(page);
  assert.notDeepEqual(after, before, 'the list did not change when the cart did');
  assert.ok(!after.includes(before[0]), 'the list still contains a product of the cart');
  const changes = await page.getByTestId('changes').innerText();
  assert.match(
    changes,
    /Since the last response: .*\d+ dropped/,
    `the change is not described: ${changes}`,
  );
  const chip = page.getByTestId('cart').locator('li');
  assert.equal(await chip.count(), 1, 'the cart does not contain one product');
  assert.ok((await chip.innerText()).includes(name.trim()), 'the cart shows the wrong product');

  await page.reload();
  await page.getByLabel('User id').fill(sent.user_id);
  assert.equal(await chip.count(), 1, 'the cart was lost in a reload');
  const removed = await submitBy(page, () =>
    page.getByRole('button', { name: /^Remove .* from cart$/ }).click(),
  );
  assert.equal(removed.sent.event, 'remove_from_cart');
  await page.getByTestId('cart-empty').waitFor();
  await close(opened);
}

async function checkout({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await getRecommendations(page, 2);
  await submitBy(page, () => rows(page).first().locator('button.add').click());
  const { sent } = await submitBy(page, () =>
    page.getByTestId('cart').locator('..').getByRole('button', { name: 'Checkout' }).click(),
  );
  assert.equal(sent.event, 'checkout');
  assert.equal(sent.product_ids, undefined, 'the checkout of a whole cart names products');
  await page.getByTestId('cart-empty').waitFor();
  const log = page.locator('#log details');
  assert.equal(await log.count(), 3, 'the log does not have one entry per response');
  await log.first().locator('summary').click();
  const received = await log.first().locator('pre').nth(1).innerText();
  assert.equal(JSON.parse(received).event_id, sent.event_id, 'the log shows the wrong response');
  await close(opened);
}

async function invalidIds({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  const field = page.getByLabel('User id');
  const send = page.getByTestId('send');
  await field.fill('x'.repeat(129));
  const problem = page.locator('#user-problem');
  assert.ok(await problem.isVisible(), 'an invalid user id has no message');
  assert.match(await problem.innerText(), /129 bytes; at most 128 are allowed/);
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  const describedBy = (await field.getAttribute('aria-describedby')) ?? '';
  assert.ok(
    describedBy.split(' ').includes('user-problem'),
    'the message does not describe the field',
  );
  assert.ok(await send.isDisabled(), 'an invalid user id can be sent');
  await field.fill('u.1:a@b-c_d');
  assert.ok(await problem.isHidden(), 'a valid user id has a message');
  assert.ok(await send.isEnabled(), 'a valid user id cannot be sent');

  await page.getByLabel('Add to cart', { exact: true }).check();
  assert.ok(await send.isDisabled(), 'add_to_cart can be sent without a product');
  await page.getByLabel(/^Product ids/).fill('9'.repeat(129));
  assert.ok(
    await page.locator('#products-problem').isVisible(),
    'an invalid product id has no message',
  );
  await page.getByLabel(/^Product ids/).fill('1, 2');
  assert.ok(await send.isEnabled(), 'valid product ids cannot be sent');
  await page.getByRole('button', { name: 'Clear' }).click();
  assert.equal(await field.inputValue(), '', 'Clear keeps the user id');
  assert.ok(await problem.isHidden(), 'Clear shows a message');
  await close(opened);
}

async function keyboardOnly({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await page.getByRole('list', { name: 'Example users' }).waitFor();
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      return { ring: element ? getComputedStyle(element).outlineStyle : 'none' };
    });
  await tabTo(page, () => document.activeElement.id === 'user-id', 'the user field');
  assert.notEqual((await focused()).ring, 'none', 'the focus is not visible');
  await tabTo(
    page,
    () => document.activeElement.getAttribute('aria-pressed') === 'false',
    'an example user',
  );
  await page.keyboard.press('Enter');
  await tabTo(page, () => document.activeElement.role === 'combobox', 'the product search');
  await page.keyboard.press('Shift+Tab');
  const { sent } = await submitBy(page, () => page.keyboard.press('Enter'));
  assert.equal(sent.event, 'get_recommendations');
  assert.equal(await rows(page).count(), 10, 'the keyboard alone did not get a list');
  await close(opened);
}

async function productSearch({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  const name = (await rows(page).first().locator('.name').innerText()).trim();
  const productId = await rows(page).first().getAttribute('data-product-id');
  const field = page.getByRole('combobox', { name: 'Find a product by name' });
  await field.pressSequentially(name);
  const options = page.getByRole('option');
  await options.first().waitFor();
  const index = await options.evaluateAll(
    (all, id) => all.findIndex((option) => option.innerText.endsWith(` ${id}`)),
    productId,
  );
  assert.ok(index >= 0, `the search for “${name}” does not find the product`);
  for (let step = 0; step <= index; step += 1) await page.keyboard.press('ArrowDown');
  assert.ok((await field.getAttribute('aria-activedescendant')).endsWith(`-option-${index}`));
  await page.keyboard.press('Enter');
  assert.equal(await page.getByLabel(/^Product ids/).inputValue(), productId);
  assert.equal(
    await page.locator('#log details').count(),
    0,
    'selecting a product submitted the form',
  );
  await close(opened);
}

async function failedSend({ browser, baseUrl }) {
  const { context, page, faults } = await openPage(browser, baseUrl);
  await pickUser(page, 3);
  const bodies = [];
  let offline = true;
  await page.route('**/submit', (route) => {
    bodies.push(route.request().postDataJSON());
    return offline ? route.abort('connectionrefused') : route.continue();
  });
  const user = await page.getByLabel('User id').inputValue();
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  const failure = page.getByTestId('failure');
  await failure.waitFor();
  assert.match(await failure.innerText(), /could not be reached/);
  assert.equal(
    await page.getByLabel('User id').inputValue(),
    user,
    'the failure cleared the input',
  );
  offline = false;
  await submitBy(page, () => failure.getByRole('button', { name: 'Retry' }).click());
  await failure.waitFor({ state: 'detached' });
  assert.equal(bodies.length, 2, 'the retry did not send exactly one event');
  assert.deepEqual(bodies[1], bodies[0], 'the retry sent a different event');
  assert.match(bodies[0].event_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4/, 'the event id is not a UUID');
  await close({ context, faults }, [/ERR_CONNECTION_REFUSED/]);
}

async function narrow({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl, { viewport: { width: 360, height: 740 } });
  const { page } = opened;
  await assertNoSidewaysScroll(page, 'the form');
  await getRecommendations(page, 4);
  await submitBy(page, () => rows(page).first().locator('button.add').click());
  await page.locator('#log details summary').first().click();
  await assertNoSidewaysScroll(page, 'the form');
  // Restore the user's cart for later steps.
  await submitBy(page, () => page.getByRole('button', { name: /^Remove .* cart$/ }).click());
  await close(opened);
}

export const steps = [
  ['send: an example user gets 10 named recommendations', recommendations],
  ['send: the cart changes the list and survives a reload', cartChangesTheList],
  ['send: checkout empties the cart, and the log shows each response', checkout],
  ['send: an invalid id has a message and cannot be sent', invalidIds],
  ['send: the keyboard alone can send an event', keyboardOnly],
  ['send: find a product by name', productSearch],
  ['send: a retry sends the failed event again', failedSend],
  ['send: the form fits 360 px', narrow],
];
