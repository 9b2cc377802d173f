// End-to-end test of the web app with a server that requires API keys.
import assert from 'node:assert/strict';
import { assertAccessible, close, openPage } from './browser.mjs';

const REFUSED = [/status of 401/, /status of 403/];

async function adminKey({ browser, baseUrl, server }) {
  const admin = await server.command('keys', 'create', 'operator', '--scope', 'admin');
  const shop = await server.command(
    ...['keys', 'create', 'shop', '--scope', 'events:write', '--scope', 'recommendations:read'],
  );
  const deadline = Date.now() + 10_000;
  while ((await fetch(`${baseUrl}/v1/models`)).status !== 401) {
    assert.ok(Date.now() < deadline, 'the server does not require a key');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { context, page, faults } = await openPage(browser, `${baseUrl}/console/models`);
  const dialog = page.getByRole('dialog', { name: 'API key' });
  const useKey = async (key) => {
    await dialog.waitFor();
    await dialog.getByLabel('Key').fill(key);
    await dialog.getByRole('button', { name: 'Use key' }).click();
  };
  await dialog.waitFor();
  await assertAccessible(page, 'the API key dialog');
  const focused = await page.evaluate(() => document.activeElement?.id);
  assert.equal(focused, 'api-key', 'the dialog begins elsewhere than at the key');
  // A shopper's key has no access to the console.
  await useKey(shop.key);
  await dialog.getByText('lacks the scope admin').waitFor();
  await useKey(admin.key);
  await page.getByTestId('model-row').first().waitFor();
  const stored = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage]));
  assert.ok(!stored.includes(admin.key), 'the page stores the key outside its memory');
  await page.goto(`${baseUrl}/console/models`);
  await dialog.waitFor();

  // The shop works with a shopper's key, except for the list of shoppers.
  await page.goto(baseUrl);
  // Visitors read why, without an error or a dialog.
  await page.getByRole('heading', { name: 'This shop is closed to visitors' }).waitFor();
  assert.equal(await page.getByRole('alert').count(), 0, 'a visitor meets an error');
  assert.ok(!(await dialog.isVisible()), 'a visitor is asked for a key');
  await assertAccessible(page, 'the closed shop');
  await page.getByRole('button', { name: 'Enter a key' }).click();
  await useKey(shop.key);
  await page.getByTestId('product-card').first().waitFor();
  const [response] = await Promise.all([
    page.waitForResponse((answer) => answer.url().endsWith('/submit')),
    page.getByTestId('product-card').first().getByRole('button').click(),
  ]);
  assert.equal(response.status(), 200);
  await page.getByTestId('shopper-button').click();
  await page.getByText('Shoppers with a purchase history cannot be listed').waitFor();
  await close({ context, faults }, REFUSED);
}

export const steps = [['keys: the console asks for the admin key and does not store it', adminKey]];
