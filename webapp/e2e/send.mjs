// What a person does on the page, step by step. Each step opens its own page
// and throws with a sentence when the page does not do its part.
import assert from 'node:assert/strict';
import {
  accessible,
  close,
  noSidewaysScroll,
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
  assert.notEqual(id, '', 'picking an example user left the user field empty');
  return id;
}

// The server's answer to whatever `action` sends.
async function answerTo(page, action) {
  const [response] = await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).pathname === '/submit'),
    action(),
  ]);
  assert.equal(response.status(), 200, `/submit answered ${response.status()}`);
  const answer = await response.json();
  // The page has taken the answer once its button is itself again.
  await page.locator('[data-testid=send][aria-disabled=false]').waitFor();
  return { sent: response.request().postDataJSON(), answer };
}

async function getRecommendations(page, index = 0) {
  await pickUser(page, index);
  return answerTo(page, () => page.getByRole('button', { name: 'Send', exact: true }).click());
}

async function recommendations({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  assert.equal(await page.getByRole('main').count(), 1, 'there is no main landmark');
  const { sent, answer } = await getRecommendations(page);
  assert.equal(sent.event, 'get_recommendations');
  assert.equal(await rows(page).count(), 10, 'the list has not 10 rows');
  assert.deepEqual(
    await productIds(page),
    answer.recommendations.map((entry) => entry.product_id),
    'the rows are not in the order of the answer',
  );
  for (const [index, entry] of answer.recommendations.entries()) {
    const name = (await rows(page).nth(index).locator('.name').innerText()).trim();
    assert.notEqual(name, '', `row ${index + 1} has no name`);
    assert.equal(name, entry.product_name.trim(), `row ${index + 1} shows another name`);
  }
  await accessible(page, 'the form');
  await screenshot(page, screenshots, 'send');
  await close(opened);
}

async function cartChangesTheList({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await getRecommendations(page, 1);
  const before = await productIds(page);
  const name = await rows(page).first().locator('.name').innerText();
  const { sent } = await answerTo(page, () => rows(page).first().locator('button.add').click());
  assert.equal(sent.event, 'add_to_cart');
  assert.deepEqual(sent.product_ids, [before[0]]);
  const after = await productIds(page);
  assert.notDeepEqual(after, before, 'the list did not change with the cart');
  assert.ok(!after.includes(before[0]), 'the list still holds what is in the cart');
  const changes = await page.getByTestId('changes').innerText();
  assert.match(changes, /Since the last answer: .*\d+ gone/, `no word of the change: ${changes}`);
  const chip = page.getByTestId('cart').locator('li');
  assert.equal(await chip.count(), 1, 'the cart does not hold one product');
  assert.ok((await chip.innerText()).includes(name.trim()), 'the cart shows another product');

  await page.reload();
  await page.getByLabel('User id').fill(sent.user_id);
  assert.equal(await chip.count(), 1, 'a reload forgot the cart');
  const removed = await answerTo(page, () =>
    page.getByRole('button', { name: /^Remove .* from the cart$/ }).click(),
  );
  assert.equal(removed.sent.event, 'remove_from_cart');
  await page.getByTestId('cart-empty').waitFor();
  await close(opened);
}

async function checkout({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  await getRecommendations(page, 2);
  await answerTo(page, () => rows(page).first().locator('button.add').click());
  const { sent } = await answerTo(page, () =>
    page.getByTestId('cart').locator('..').getByRole('button', { name: 'Checkout' }).click(),
  );
  assert.equal(sent.event, 'checkout');
  assert.equal(sent.product_ids, undefined, 'checkout of the cart names products');
  await page.getByTestId('cart-empty').waitFor();
  const log = page.locator('#log details');
  assert.equal(await log.count(), 3, 'the log has not one entry for each answer');
  await log.first().locator('summary').click();
  const received = await log.first().locator('pre').nth(1).innerText();
  assert.equal(JSON.parse(received).event_id, sent.event_id, 'the log shows another answer');
  await close(opened);
}

async function badUserId({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  const field = page.getByLabel('User id');
  const send = page.getByTestId('send');
  await field.fill('no spaces allowed');
  const problem = page.locator('#user-problem');
  assert.ok(await problem.isVisible(), 'a bad user id shows no message');
  assert.match(await problem.innerText(), /must not hold a space/);
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  const describedBy = (await field.getAttribute('aria-describedby')) ?? '';
  assert.ok(
    describedBy.split(' ').includes('user-problem'),
    'the message is not tied to the field',
  );
  assert.ok(await send.isDisabled(), 'a bad user id can be sent');
  await field.fill('u.1:a@b-c_d');
  assert.ok(await problem.isHidden(), 'a good user id still shows a message');
  assert.ok(await send.isEnabled(), 'a good user id cannot be sent');

  await page.getByLabel('Add to cart', { exact: true }).check();
  assert.ok(await send.isDisabled(), 'add_to_cart can be sent without a product');
  await page.getByLabel(/^Product ids/).fill('a/b');
  assert.ok(await page.locator('#products-problem').isVisible(), 'a bad product id has no message');
  await page.getByLabel(/^Product ids/).fill('1, 2');
  assert.ok(await send.isEnabled(), 'good product ids cannot be sent');
  await page.getByRole('button', { name: 'Clear' }).click();
  assert.equal(await field.inputValue(), '', 'clear keeps the user id');
  assert.ok(await problem.isHidden(), 'clear shows a message');
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
  assert.notEqual((await focused()).ring, 'none', 'the focus cannot be seen');
  await tabTo(
    page,
    () => document.activeElement.getAttribute('aria-pressed') === 'false',
    'an example user',
  );
  await page.keyboard.press('Enter');
  await tabTo(page, () => document.activeElement.id === 'product-query', 'the look-up');
  await page.keyboard.press('Shift+Tab');
  const { sent } = await answerTo(page, () => page.keyboard.press('Enter'));
  assert.equal(sent.event, 'get_recommendations');
  assert.equal(await rows(page).count(), 10, 'the keyboard alone got no list');
  await close(opened);
}

async function productLookUp({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl);
  const { page } = opened;
  const name = (await rows(page).first().locator('.name').innerText()).trim();
  const wanted = await rows(page).first().getAttribute('data-product-id');
  const field = page.getByRole('combobox', { name: 'Find a product by name' });
  await field.pressSequentially(name);
  const options = page.getByRole('option');
  await options.first().waitFor();
  const place = await options.evaluateAll(
    (all, id) => all.findIndex((option) => option.innerText.endsWith(` ${id}`)),
    wanted,
  );
  assert.ok(place >= 0, `the look-up of “${name}” does not find its product`);
  for (let step = 0; step <= place; step += 1) await page.keyboard.press('ArrowDown');
  assert.equal(await field.getAttribute('aria-activedescendant'), `product-option-${place}`);
  await page.keyboard.press('Enter');
  assert.equal(await page.getByLabel(/^Product ids/).inputValue(), wanted);
  assert.equal(await page.locator('#log details').count(), 0, 'choosing a product sent the form');
  await close(opened);
}

async function failedSend({ browser, baseUrl }) {
  const { context, page, faults } = await openPage(browser, baseUrl);
  await pickUser(page, 3);
  const bodies = [];
  let broken = true;
  await page.route('**/submit', (route) => {
    bodies.push(route.request().postDataJSON());
    return broken ? route.abort('connectionrefused') : route.continue();
  });
  const user = await page.getByLabel('User id').inputValue();
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  const failure = page.getByTestId('failure');
  await failure.waitFor();
  assert.match(await failure.innerText(), /could not be reached/);
  assert.equal(await page.getByLabel('User id').inputValue(), user, 'a failure lost the input');
  broken = false;
  await answerTo(page, () => failure.getByRole('button', { name: 'Retry' }).click());
  await failure.waitFor({ state: 'detached' });
  assert.equal(bodies.length, 2, 'the retry did not send once');
  assert.deepEqual(bodies[1], bodies[0], 'the retry sent another event');
  assert.match(bodies[0].event_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4/, 'the event has no id of its own');
  await close({ context, faults }, [/ERR_CONNECTION_REFUSED/]);
}

async function narrow({ browser, baseUrl }) {
  const opened = await openPage(browser, baseUrl, { viewport: { width: 360, height: 740 } });
  const { page } = opened;
  await noSidewaysScroll(page, 'the form');
  await getRecommendations(page, 4);
  await answerTo(page, () => rows(page).first().locator('button.add').click());
  await page.locator('#log details summary').first().click();
  await noSidewaysScroll(page, 'the form');
  // Leaves the user as it was found.
  await answerTo(page, () => page.getByRole('button', { name: /^Remove .* cart$/ }).click());
  await close(opened);
}

export const steps = [
  ['send: an example user gets 10 named recommendations', recommendations],
  ['send: the cart changes the list, and is kept and emptied', cartChangesTheList],
  ['send: checkout buys the cart, and the log shows each answer', checkout],
  ['send: a bad id is explained and cannot be sent', badUserId],
  ['send: the keyboard alone sends an event', keyboardOnly],
  ['send: a product is found by name', productLookUp],
  ['send: a failed send keeps its event for the retry', failedSend],
  ['send: 360 px need no sideways scroll', narrow],
];
