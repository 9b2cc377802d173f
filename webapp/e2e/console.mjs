// End-to-end tests of the console.
import assert from 'node:assert/strict';
import {
  assertAccessible,
  close,
  assertNoSidewaysScroll,
  openPage,
  screenshot,
  tabTo,
} from './browser.mjs';

// A pipeline run on the small shop takes seconds; this leaves room for a busy machine.
const RUN_TIMEOUT_MS = 300_000;

async function submit(baseUrl, body) {
  const response = await fetch(`${baseUrl}/submit`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200);
  return response.json();
}

const models = async (baseUrl) => (await (await fetch(`${baseUrl}/v1/models`)).json()).models;
const serving = async (baseUrl) =>
  (await models(baseUrl)).find(({ status }) => status === 'serving').version;

async function followEvent({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, `${baseUrl}/console`);
  const { page } = opened;
  await page.getByTestId('live-picture').waitFor();
  const stored = await submit(baseUrl, {
    user_id: 'watched',
    event: 'add_to_cart',
    product_ids: ['1', '2'],
  });
  const row = page.locator(`[data-testid=live-event][data-event="${stored.event_id}"]`);
  await row.waitFor();
  // The event is accepted and synced immediately, and delivered to the lake later.
  await row.locator('.step.done').nth(2).waitFor();
  assert.equal(
    await row.locator('.step.done').count(),
    3,
    'an event other than a checkout reached the features',
  );
  await row.getByRole('button').click();
  await page.getByText('events/year=').first().waitFor();
  await assertAccessible(page, 'the live page');
  await screenshot(page, screenshots, 'console-live');
  await close(opened);
}

// Starts a run with the form and returns its name.
async function startRun(page, baseUrl, parameters) {
  await page.goto(`${baseUrl}/console/pipeline`);
  await page.getByTestId('run-button').click();
  const dialog = page.getByRole('dialog', { name: 'Run the pipeline' });
  for (const [index, [name, value]] of Object.entries(parameters).entries()) {
    await dialog.getByRole('button', { name: /hyperparameter/ }).click();
    await dialog.getByLabel(`Name ${index + 1}`).fill(name);
    await dialog.getByLabel(`Value ${index + 1}`).fill(value);
  }
  const [response] = await Promise.all([
    page.waitForResponse((answer) => answer.request().method() === 'POST'),
    dialog.getByRole('button', { name: 'Start run' }).click(),
  ]);
  assert.equal(response.status(), 201, await response.text());
  const { name } = await response.json();
  await page.waitForURL(`**/console/pipeline/${name}`);
  return name;
}

async function pipeline({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, `${baseUrl}/console/pipeline`);
  const { page } = opened;
  await page.getByTestId('run-row').first().waitFor();
  await assertAccessible(page, 'the list of runs');
  // The form rejects values that the server would reject.
  await page.getByTestId('run-button').click();
  const dialog = page.getByRole('dialog', { name: 'Run the pipeline' });
  await dialog.getByRole('button', { name: /hyperparameter/ }).click();
  await dialog.getByLabel('Value 1').fill('many');
  await dialog.getByRole('button', { name: 'Start run' }).click();
  await dialog.locator('.problem').first().waitFor();
  await assertAccessible(page, 'the form that starts a run');
  await page.keyboard.press('Escape');

  const name = await startRun(page, baseUrl, { num_round: '25', max_depth: '3' });
  const status = page.getByTestId('run-status');
  await status.filter({ hasText: 'Running' }).waitFor();
  const state = (name) => page.locator(`[data-testid=state][data-state="${name}"]`).first();
  await page
    .locator('[data-testid=state][data-state=Train][data-status=running]')
    .waitFor({ timeout: RUN_TIMEOUT_MS });
  await screenshot(page, screenshots, 'console-pipeline-running');
  await status.filter({ hasText: 'Succeeded' }).waitFor({ timeout: RUN_TIMEOUT_MS });
  assert.equal(await state('Train').getAttribute('data-status'), 'succeeded');
  await assertAccessible(page, 'a run');
  await screenshot(page, screenshots, 'console-pipeline');

  // The whole graph is in sight on request, and its parts can be magnified.
  const graph = page.getByRole('region', { name: 'State machine' });
  const drawn = graph.locator('svg');
  const height = async (element) => (await element.boundingBox()).height;
  await page.getByRole('button', { name: 'Fit' }).click();
  const fitted = await height(drawn);
  assert.ok(fitted <= (await height(graph)), 'the fitted graph is clipped');
  await page.getByRole('button', { name: 'Zoom in' }).click();
  assert.ok((await height(drawn)) > 1.2 * fitted, 'zooming in does not magnify');
  await page.getByRole('button', { name: /%/ }).click();

  // The keyboard opens a state's panel; then the log.
  await tabTo(page, () => document.activeElement.closest('[data-state=Train]') !== null, 'a state');
  await page.keyboard.press('Enter');
  const panel = page.getByTestId('state-panel');
  await panel.filter({ hasText: 'Train' }).waitFor();
  await panel.getByText('createTrainingJob').first().waitFor();
  await assertAccessible(page, 'a state');
  await page.getByRole('tab', { name: 'Log' }).click();
  await page.getByTestId('run-logs').filter({ hasText: 'cartwheel train' }).waitFor();
  await assertAccessible(page, 'the log');
  await page.reload();
  await status.filter({ hasText: 'Succeeded' }).waitFor();
  const run = await (await fetch(`${baseUrl}/v1/pipeline/executions/${name}`)).json();
  assert.equal(run.status, 'SUCCEEDED');
  await close(opened);
}

async function stopAndRedrive({ browser, baseUrl }) {
  const opened = await openPage(browser, `${baseUrl}/console/pipeline`);
  const { page } = opened;
  await startRun(page, baseUrl, { num_round: '24' });
  await page.getByTestId('stop-button').click();
  await page.getByRole('dialog').getByRole('button', { name: /^Stop/ }).click();
  const status = page.getByTestId('run-status');
  await status.filter({ hasText: /Stopped|Aborted/ }).waitFor();
  await page.getByTestId('redrive-button').click();
  const confirm = page.getByRole('dialog').getByRole('button', { name: /^Redrive/ });
  if (await confirm.isVisible().catch(() => false)) await confirm.click();
  await status.filter({ hasText: 'Succeeded' }).waitFor({ timeout: RUN_TIMEOUT_MS });
  await close(opened);
}

async function deployAndRollBack({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, `${baseUrl}/console/models`);
  const { page } = opened;
  const before = await serving(baseUrl);
  const row = (version) => page.locator(`[data-testid=model-row][data-version="${version}"]`);
  await row(before).waitFor();
  assert.equal(await row(before).getAttribute('data-status'), 'serving');
  await assertAccessible(page, 'the list of models');
  await screenshot(page, screenshots, 'console-models');
  const other = (await models(baseUrl)).find(({ version }) => version !== before).version;

  await row(other).getByTestId('deploy-button').click();
  const confirm = page.getByTestId('confirm');
  await confirm.waitFor();
  await assertAccessible(page, 'the confirmation of a deployment');
  await confirm.click();
  await page
    .locator(`[data-testid=model-row][data-version="${other}"][data-status=serving]`)
    .waitFor();
  assert.equal(await serving(baseUrl), other);
  await closeDialog(page);
  await page.getByTestId('rollback-button').click();
  await page.getByTestId('confirm').click();
  await page
    .locator(`[data-testid=model-row][data-version="${before}"][data-status=serving]`)
    .waitFor();
  assert.equal(await serving(baseUrl), before, 'the rollback did not restore the model');
  await closeDialog(page);
  // The next response is from the restored model.
  const answer = await submit(baseUrl, { user_id: 'u', event: 'get_recommendations' });
  assert.equal(answer.model_version, before);

  await row(before).getByRole('link').first().click();
  await page.getByTestId('verdict').filter({ hasText: 'strongest baseline' }).waitFor();
  await page.getByTestId('label').filter({ hasText: 'next purchase' }).waitFor();
  await page.getByText('Expected calibration error').waitFor();
  await page.getByText('up_').first().waitFor();
  await assertAccessible(page, 'a model');
  await screenshot(page, screenshots, 'console-model');
  await page.goto(`${baseUrl}/console/models/compare?a=${before}&b=${other}`);
  await page.getByText('Recall').first().waitFor();
  await assertAccessible(page, 'the comparison of two models');
  await screenshot(page, screenshots, 'console-models-compare');
  await close(opened);
}

// A server on AWS shows models and runs, and says how to change them.
async function showsOnly({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, `${baseUrl}/console`);
  const { page } = opened;
  const elsewhere = 'On AWS, scripts/run-pipeline starts a run.';
  await page.route('**/readyz', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), operated_by: elsewhere } });
  });
  const absent = async (name) => assert.equal(await page.getByTestId(name).count(), 0, name);
  await page.goto(`${baseUrl}/console/models`);
  await page.getByTestId('operated-by').filter({ hasText: elsewhere }).waitFor();
  await page.getByTestId('model-row').nth(1).waitFor();
  await absent('deploy-button');
  await absent('rollback-button');
  await assertAccessible(page, 'models that are shown only');
  await screenshot(page, screenshots, 'console-models-shown');
  await page.goto(`${baseUrl}/console/pipeline`);
  await page.getByTestId('operated-by').waitFor();
  await absent('run-button');
  await page.getByTestId('run-row').first().getByRole('link').click();
  await page.getByTestId('run-status').filter({ hasText: 'Succeeded' }).waitFor();
  await absent('redrive-button');
  await close(opened);
}

async function compareWithItself({ browser, baseUrl }) {
  const version = await serving(baseUrl);
  const opened = await openPage(
    browser,
    `${baseUrl}/console/models/compare?a=${version}&b=${version}`,
  );
  const { page } = opened;
  await page.getByText('Both sides show the same model').waitFor();
  await page.getByRole('heading', { name: 'Hyperparameters' }).waitFor();
  await assertAccessible(page, 'the comparison of a model with itself');
  await close(opened);
}

async function closeDialog(page) {
  if ((await page.locator('dialog[open]').count()) > 0) await page.keyboard.press('Escape');
}

async function explain({ browser, baseUrl, screenshots }) {
  const { users } = await (await fetch(`${baseUrl}/v1/users?limit=1`)).json();
  const user = users[0].user_id;
  const opened = await openPage(browser, `${baseUrl}/console/explain?user=${user}`);
  const { page } = opened;
  const explained = page.getByTestId('explained');
  await explained.first().waitFor();
  assert.equal(await page.getByTestId('explain-user').inputValue(), user);
  assert.ok((await explained.count()) >= 10, 'fewer than 10 recommendations are explained');
  const waterfall = page.getByTestId('waterfall');
  if ((await waterfall.count()) === 0) await explained.first().getByRole('button').first().click();
  await waterfall.first().waitFor();
  await assertAccessible(page, 'the explanation');
  await screenshot(page, screenshots, 'console-explain');
  await close(opened);
}

async function data({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, `${baseUrl}/console/data`);
  const { page } = opened;
  const table = (name) => page.locator(`[data-testid=lake-table][data-table=${name}]`);
  await table('events').waitFor();
  await assertAccessible(page, 'the list of tables');
  await screenshot(page, screenshots, 'console-data');
  await table('events').getByRole('link').first().click();
  await page.getByText('received_at_ms').first().waitFor();
  await assertAccessible(page, 'a table');
  await screenshot(page, screenshots, 'console-table');
  await page.goto(`${baseUrl}/console/data`);
  await page.getByLabel('Users', { exact: true }).fill('60');
  await page.getByLabel('Products', { exact: true }).fill('100');
  await page.getByLabel('Orders', { exact: true }).fill('600');
  await page.getByRole('button', { name: /^Generate/ }).click();
  const confirm = page.locator('dialog[open]').getByRole('button', { name: /^Generate|^Replace/ });
  if (await confirm.isVisible().catch(() => false)) await confirm.click();
  await page.getByText('Imported: 600 orders').waitFor();
  await close(opened);
}

async function placements({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, `${baseUrl}/console/placements`);
  const { page } = opened;
  await page.getByTestId('placement').filter({ hasText: 'home_trending' }).waitFor();
  await assertAccessible(page, 'the placements');
  await screenshot(page, screenshots, 'console-placements');
  await page.getByRole('link', { name: 'home_trending' }).click();
  const form = page.getByTestId('placement-form');
  await form.getByLabel('Products', { exact: true }).fill('3');
  await form.getByLabel('Only products with').fill('price <');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.getByRole('alert').waitFor();
  await form.getByLabel('Only products with').fill('price < 100');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.getByText('Saved').waitFor();
  await page.getByRole('button', { name: 'Show' }).click();
  const preview = page.getByTestId('placement-preview').getByRole('listitem');
  await preview.first().waitFor();
  assert.equal(await preview.count(), 3);
  await assertAccessible(page, 'a placement');
  await screenshot(page, screenshots, 'console-placement');
  await page.getByRole('main').getByRole('link', { name: 'Placements' }).click();
  await page.getByTestId('version').filter({ hasText: 'home_trending' }).waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  const row = page.getByTestId('placement').filter({ hasText: 'home_trending' });
  await row.filter({ hasText: '12' }).waitFor();
  await close(opened, [/400/]);
}

async function rules({ browser, baseUrl, screenshots }) {
  const preview = await fetch(`${baseUrl}/v1/placements/home_trending/preview`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: 'preview', rules: [] }),
  });
  const last = (await preview.json()).before.at(-1);
  const opened = await openPage(browser, `${baseUrl}/console/rules`);
  const { page } = opened;
  await page.getByText('There are no rules').waitFor();
  await page.getByRole('link', { name: 'Add a rule' }).click();
  const form = page.getByTestId('rule-form');
  await form.getByLabel('Name').fill('Push the last');
  await form.getByLabel('What it does').selectOption('boost');
  await form.getByLabel('Factor').fill('1');
  await form.getByLabel('Chosen by').selectOption('ids');
  await form.getByLabel('Product ids').fill(last.product_id);
  await form.getByRole('button', { name: `Remove “${last.product_name}”` }).waitFor();
  await form.getByLabel('Last day').fill('2999-12-05');
  await form.getByLabel('home_trending').check();
  const sentence = page.getByTestId('rule-sentence');
  const named = `“${last.product_name}” (${last.product_id})`;
  const when = 'on home_trending, until 5 December 2999.';
  await sentence.filter({ hasText: `${named} by 1 ${when}` }).waitFor();
  // The server refuses the factor, and says so at its field.
  await form.getByRole('button', { name: 'Save' }).click();
  await form.locator('[aria-invalid=true]').waitFor();
  assert.equal(await form.getByLabel('Factor').getAttribute('aria-invalid'), 'true');
  await assertAccessible(page, 'the form of a rule with a mistake');
  await form.getByLabel('What it does').selectOption('pin');
  await form.getByLabel('Place', { exact: true }).fill('1');
  await page.getByRole('button', { name: 'Show' }).click();
  const first = (list) => page.getByTestId(`rule-preview-${list}`).getByRole('listitem').first();
  await first('after').filter({ hasText: last.product_name }).waitFor();
  await first('after').filter({ hasText: 'rule push-the-last' }).waitFor();
  assert.ok(!(await first('before').innerText()).includes('rule'));
  await screenshot(page, screenshots, 'console-rule');
  await form.getByRole('button', { name: 'Save' }).click();
  const rule = (id) => page.locator(`[data-testid=rule][data-rule=${id}]`);
  const phase = (id) => rule(id).getByTestId('rule-phase');
  await phase('push-the-last').filter({ hasText: 'Active until 5 December 2999' }).waitFor();
  await rule('push-the-last').filter({ hasText: named }).waitFor();

  // Another rule contradicts it. The page says which one is in effect.
  await page.getByRole('link', { name: 'Add a rule' }).click();
  await form.getByLabel('Name').fill('Recalled');
  await form.getByLabel('What it does').selectOption('block');
  await form.getByLabel('Chosen by').selectOption('ids');
  const lookup = form.getByRole('combobox', { name: 'Find a product by name' });
  await lookup.pressSequentially(last.product_name);
  await page.getByRole('listbox').getByRole('option').first().waitFor();
  await page.keyboard.press('Enter');
  assert.notEqual(await form.getByLabel('Product ids').inputValue(), '');
  await form.getByLabel('Product ids').fill(last.product_id);
  await form.getByLabel('First day').fill('2020-01-01');
  await form.getByRole('button', { name: 'Save' }).click();
  await rule('recalled')
    .getByTestId('conflicts')
    .filter({ hasText: 'In effect: Recalled' })
    .waitFor();
  await rule('push-the-last').getByTestId('conflicts').waitFor();
  await assertAccessible(page, 'the rules');
  await screenshot(page, screenshots, 'console-rules');
  await rule('recalled').getByRole('button', { name: 'Switch off' }).click();
  await phase('recalled').filter({ hasText: 'Switched off' }).waitFor();
  await rule('push-the-last').getByTestId('conflicts').waitFor({ state: 'detached' });
  await page.getByTestId('version').first().filter({ hasText: 'recalled' }).waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await phase('recalled').filter({ hasText: 'Active' }).waitFor();
  await rule('recalled').getByRole('button', { name: 'Remove' }).click();
  await page.getByTestId('confirm').click();
  await rule('recalled').waitFor({ state: 'detached' });

  // The keyboard alone changes a rule.
  await tabTo(page, () => document.activeElement.textContent === 'Push the last', 'the rule');
  await page.keyboard.press('Enter');
  await form.waitFor();
  await tabTo(page, () => document.activeElement.labels?.[0]?.textContent === 'Place', 'the place');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await form.getByText('Saved').waitFor();
  const stored = await (await fetch(`${baseUrl}/v1/rules`)).json();
  assert.deepEqual(stored.rules[0].action, { kind: 'pin', place: 2 });
  await close(opened, [/400/]);
}

async function search({ browser, baseUrl, screenshots }) {
  const { products } = await (await fetch(`${baseUrl}/v1/products?limit=1`)).json();
  const word = products[0].product_name.split(' ').at(-1).toLowerCase();
  for (const user of ['s1', 's2', 's3']) {
    for (const query of [word, 'qqxxzz']) {
      await submit(baseUrl, { user_id: user, event: 'search', query });
    }
  }
  await submit(baseUrl, { user_id: 's1', event: 'search', query: 'the address of one person' });
  const deadline = Date.now() + 20_000;
  for (;;) {
    const counted = await (await fetch(`${baseUrl}/v1/search/queries`)).json();
    const named = counted.queries.map(({ query }) => query);
    // Earlier steps have searched too.
    if (named.includes(word) && named.includes('qqxxzz') && counted.unnamed > 0) break;
    assert.ok(Date.now() < deadline, `the searches are not counted: ${JSON.stringify(counted)}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const opened = await openPage(browser, `${baseUrl}/console/search`);
  const { page } = opened;
  const without = page.locator('[data-testid=query-without][data-query=qqxxzz]');
  await without.waitFor();
  await page.locator(`[data-testid=query][data-query=${word}]`).waitFor();
  assert.ok(!(await page.locator('main').innerText()).includes('address of one person'));
  await without.getByRole('button', { name: 'Add a synonym' }).click();
  const form = page.getByTestId('synonym-form');
  assert.equal(await form.getByLabel('A search for').inputValue(), 'qqxxzz');
  // The server refuses a phrase of six words, and says so at the field.
  await form.getByLabel('Also finds').fill('one two three four five six');
  await form.getByRole('button', { name: 'Add' }).click();
  await page.getByRole('alert').filter({ hasText: '1 to 5 words' }).waitFor();
  await assertAccessible(page, 'a synonym with a mistake');
  await form.getByLabel('Also finds').fill(word);
  await form.getByRole('button', { name: 'Add' }).click();
  await page
    .getByTestId('synonym')
    .filter({ hasText: `qqxxzz also finds ${word}` })
    .waitFor();
  await without.waitFor({ state: 'detached' });
  const found = async () =>
    (await (await fetch(`${baseUrl}/v1/search?q=qqxxzz`)).json()).products.length;
  assert.ok((await found()) > 0, 'the search does not know the synonym');
  await assertAccessible(page, 'the search page');
  await screenshot(page, screenshots, 'console-search');
  await page.getByTestId('version').filter({ hasText: 'qqxxzz' }).waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('There are no synonyms').waitFor();
  await without.waitFor();
  assert.equal(await found(), 0);
  await close(opened, [/400/]);
}

async function quality({ browser, baseUrl, screenshots }) {
  const asked = await submit(baseUrl, { user_id: 'judge', event: 'get_recommendations' });
  const [first] = asked.recommendations;
  for (const event of ['view', 'add_to_cart']) {
    await submit(baseUrl, {
      user_id: 'judge',
      event,
      product_ids: [first.product_id],
      recommendation_id: asked.recommendation_id,
    });
  }
  await submit(baseUrl, { user_id: 'judge', event: 'checkout' });
  const deadline = Date.now() + 20_000;
  for (;;) {
    const path = `/v1/quality/products/${first.product_id}?days=2`;
    const { total } = await (await fetch(`${baseUrl}${path}`)).json();
    if (total.bought > 0) break;
    assert.ok(Date.now() < deadline, 'the purchase is not counted');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const opened = await openPage(browser, `${baseUrl}/console/quality`);
  const { page } = opened;
  await page.getByTestId('quality-model').first().waitFor();
  await assertAccessible(page, 'the quality page');
  await screenshot(page, screenshots, 'console-quality');
  await page.getByRole('link', { name: 'Products', exact: true }).click();
  await page.getByLabel('Order').selectOption('bought');
  // Earlier steps have bought too.
  const row = page.getByTestId('quality-product').filter({ hasText: first.product_name }).first();
  await row.waitFor();
  await assertAccessible(page, 'the products by quality');
  await screenshot(page, screenshots, 'console-quality-products');
  await row.getByRole('link').click();
  await page.getByRole('heading', { level: 1, name: first.product_name }).waitFor();
  await page.getByTestId('product-funnel').waitFor();
  await page.getByTestId('quality-day').first().waitFor();
  await assertAccessible(page, 'the quality of a product');
  await screenshot(page, screenshots, 'console-quality-product');
  await close(opened);
}

async function narrowAndDark({ browser, baseUrl, screenshots }) {
  const options = { viewport: { width: 360, height: 740 }, colorScheme: 'dark' };
  const opened = await openPage(browser, `${baseUrl}/console`, options);
  const { page } = opened;
  const { executions } = await (await fetch(`${baseUrl}/v1/pipeline/executions`)).json();
  const paths = [
    '',
    '/pipeline',
    `/pipeline/${executions[0].name}`,
    '/models',
    `/models/${await serving(baseUrl)}`,
    '/explain?user=1',
    '/catalogue',
    '/catalogue?unknown',
    '/catalogue/1?user=1',
    '/data',
    '/data?import',
    '/data/events',
    '/placements',
    '/placements/home',
    '/rules?new',
    '/rules',
    '/search',
    '/quality',
    '/quality?products',
    '/quality/1',
  ];
  for (const path of paths) {
    await page.goto(`${baseUrl}/console${path}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.waitForTimeout(800);
    await assertNoSidewaysScroll(page, `/console${path}`);
    const hidden = await page
      .getByRole('navigation', { name: 'Console' })
      .getByRole('link')
      .evaluateAll((links) =>
        links
          .filter((link) => link.getBoundingClientRect().right > window.innerWidth)
          .map((link) => link.textContent),
      );
    assert.deepEqual(hidden, [], `/console${path} has links beyond the edge`);
    await assertAccessible(page, `/console${path}, dark`);
    const name = path.split(/[/?]/)[1] || 'live';
    await screenshot(page, screenshots, `console-360-dark-${name}`);
  }
  await close(opened);
}

async function apiReference({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, `${baseUrl}/console`);
  const { page } = opened;
  await page.getByRole('link', { name: 'API' }).click();
  await page.getByRole('heading', { name: 'cartwheel API' }).waitFor();
  await assertAccessible(page, 'the API reference');
  const call = page.locator('form[data-path="/v1/users/{id}/recommendations"]');
  await page.locator('details').filter({ has: call }).locator('summary').click();
  await call.getByRole('textbox', { name: 'id' }).fill('1');
  const command = await call.locator('.curl').textContent();
  assert.equal(
    command.split('?')[0].replace(/'$/, ''),
    `curl -s '${baseUrl}/v1/users/1/recommendations`,
  );
  await call.getByRole('button', { name: 'Send' }).click();
  await call.locator('output').filter({ hasText: '"recommendation_id"' }).waitFor();
  await screenshot(page, screenshots, 'api-reference');
  await page.setViewportSize({ width: 360, height: 740 });
  await assertNoSidewaysScroll(page, 'the API reference');
  await close(opened);
}

export const steps = [
  ['console: the API reference sends a call', apiReference],
  ['console: the live page follows an event into the lake', followEvent],
  ['console: start, watch and inspect a run', pipeline],
  ['console: stop and redrive a run', stopAndRedrive],
  ['console: deploy a model and roll back', deployAndRollBack],
  ['console: compare a model with itself', compareWithItself],
  ['console: a server that shows models and runs says who changes them', showsOnly],
  ['console: explain a recommendation', explain],
  ['console: show tables and generate a shop', data],
  ['console: placements are changed, previewed and put back', placements],
  ['console: rules are added, tried, switched and put back', rules],
  ['console: searches are counted, and synonyms are added and put back', search],
  ['console: the quality page counts purchases', quality],
  ['console: every page fits 360 px in dark mode', narrowAndDark],
];
