// End-to-end tests of imports of uploaded files.
import assert from 'node:assert/strict';
import {
  assertAccessible,
  assertNoSidewaysScroll,
  close,
  openPage,
  screenshot,
  tabTo,
} from './browser.mjs';

const PHONE = { width: 390, height: 844 };

const rows = (count) =>
  Array.from({ length: count }, (_, n) => {
    const day = String((n % 28) + 1).padStart(2, '0');
    return `imported-${n % 7},tea-${n % 5},2025-03-${day} 10:00:00,${(n % 3) + 1},2.50,red`;
  });
// The column `thing` has no usual name, and the last row has no date.
const ORDERS = [
  'customer,thing,when,pieces,price,shade',
  ...rows(60),
  'imported-1,tea-1,soon,1,2.50,red',
].join('\n');
const FEED = [
  'id\ttitle\tprice\tavailability\tproduct type\tgtin',
  'tea-1\tGreen tea\t4.20 EUR\tin stock\tFood > Tea\t1',
  'tea-2\tBlack tea\t3.10 EUR\tin stock\tFood > Tea\t2',
].join('\n');

const state = (page, name) => page.locator(`[data-testid=import][data-state=${name}]`);

async function choose(page, kind, name, content) {
  await page.getByRole('radio', { name: kind }).check();
  const buffer = Buffer.from(content);
  await page.getByLabel(/file here|another file/).setInputFiles({ name, mimeType: '', buffer });
  await page.getByTestId('chosen-file').filter({ hasText: name }).waitFor();
}

// Drops a file onto the page, as from the desktop.
async function drop(page, name, content) {
  const transfer = await page.evaluateHandle(
    ([name, content]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], name));
      return transfer;
    },
    [name, content],
  );
  const target = page.getByTestId('drop');
  await target.dispatchEvent('dragover', { dataTransfer: transfer });
  await target.dispatchEvent('drop', { dataTransfer: transfer });
  await page.getByTestId('chosen-file').filter({ hasText: name }).waitFor();
}

async function importOrders({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, `${baseUrl}/console/data`);
  const { page } = opened;
  await page.getByRole('link', { name: 'Import a file' }).click();
  const upload = page.getByRole('button', { name: 'Upload' });
  await upload.click();
  await page.getByText('Choose a file first.').waitFor();
  await assertAccessible(page, 'the form that uploads a file');
  await screenshot(page, screenshots, 'import-upload');
  // The keyboard reaches the file.
  await tabTo(page, () => document.activeElement.type === 'file', 'the choice of a file');
  await drop(page, 'orders.csv', ORDERS);
  await upload.click();

  // The column of the product is corrected by hand.
  const problem = page.getByTestId('mapping-problem');
  await problem.filter({ hasText: 'Choose the column for: Product' }).waitFor();
  await assertAccessible(page, 'a file that is not understood');
  await screenshot(page, screenshots, 'import-unclear');
  assert.equal(await page.getByRole('button', { name: 'Start the import' }).count(), 0);
  const column = (name) => page.locator(`[data-testid=import-column][data-column=${name}]`);
  assert.equal(await column('when').getByRole('combobox').inputValue(), 'time');
  await column('thing').getByRole('combobox').selectOption({ label: 'Product' });
  await page.getByRole('button', { name: 'Apply the mapping' }).click();
  await problem.waitFor({ state: 'detached' });

  const preview = page.getByTestId('import-preview');
  await preview.getByTestId('preview-rejected').filter({ hasText: '1' }).waitFor();
  assert.equal(await page.getByTestId('preview-rows').innerText(), '61');
  assert.equal(await page.getByTestId('preview-ignored').innerText(), 'shade');
  assert.equal(await page.getByTestId('preview-row').count(), 10);
  const first = page.getByTestId('preview-row').first();
  assert.match(await first.innerText(), /2025-03-01 10:00\s+checkout\s+imported-0\s+tea-0/);
  await preview.getByText('time is in no form that is understood').waitFor();
  await preview.getByText('2025-03-01 10:00 to 2025-03-28 10:00').waitFor();
  await assertAccessible(page, 'the preview of a file');
  await screenshot(page, screenshots, 'import-preview');
  await page.setViewportSize(PHONE);
  await assertNoSidewaysScroll(page, 'the preview of a file');
  await screenshot(page, screenshots, 'import-preview-phone');
  await page.setViewportSize({ width: 1280, height: 900 });

  // A changed mapping has to be applied first. The open import survives a reload.
  const start = page.getByRole('button', { name: 'Start the import' });
  await column('price').getByRole('combobox').selectOption({ label: 'ignored' });
  await page.getByText('Apply the changed mapping first.').waitFor();
  assert.equal(await start.getAttribute('aria-disabled'), 'true');
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.reload();
  assert.equal(await column('thing').getByRole('combobox').inputValue(), 'product_id');

  // What was imported before is replaced only on request.
  await page.getByRole('radio', { name: /^Replace the/ }).check();
  await start.click();
  const dialog = page.getByRole('dialog', { name: 'Replace earlier imports' });
  await dialog.getByText('Events that the server received stay.').waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('radio', { name: /^Keep the/ }).check();
  await start.click();
  const outcome = page.getByTestId('import-outcome');
  await outcome.filter({ hasText: '1 row rejected' }).waitFor();
  await outcome.filter({ hasText: '60 lines' }).waitFor();
  await assertAccessible(page, 'the outcome of an import');
  await screenshot(page, screenshots, 'import-outcome');
  await outcome.getByRole('link', { name: 'Run the pipeline' }).click();
  await page.getByTestId('run-button').waitFor();
  await close(opened);
}

async function importProducts({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, `${baseUrl}/console/data?import`, { viewport: PHONE });
  const { page } = opened;
  const another = page.getByRole('button', { name: 'Import another file' });
  await another.or(page.getByTestId('drop')).first().waitFor();
  if (await another.isVisible()) await another.click();
  await choose(page, 'Products', 'feed.tsv', FEED);
  await assertNoSidewaysScroll(page, 'the form that uploads a file');
  await screenshot(page, screenshots, 'import-upload-phone');
  await page.getByRole('button', { name: 'Upload' }).click();
  await page.getByTestId('preview-understood').filter({ hasText: '2' }).waitFor();
  assert.equal(await page.getByTestId('preview-ignored').innerText(), 'gtin');
  assert.match(await page.getByTestId('preview-row').first().innerText(), /tea-1\s+Green tea/);
  const gtin = page.locator('[data-testid=import-column][data-column=gtin]');
  await gtin.getByRole('combobox').selectOption({ label: 'Attribute gtin' });
  await page.getByRole('button', { name: 'Apply the mapping' }).click();
  await page.getByTestId('preview-ignored').filter({ hasText: 'none' }).waitFor();
  await assertAccessible(page, 'the preview of products');
  await assertNoSidewaysScroll(page, 'the preview of products');
  await screenshot(page, screenshots, 'import-products-phone');
  await page.getByRole('button', { name: 'Start the import' }).click();
  await page.getByTestId('import-outcome').filter({ hasText: '2 products' }).waitFor();
  await page.getByRole('link', { name: 'See the catalogue' }).click();
  await page.getByLabel('Search').fill('Green tea');
  await page.keyboard.press('Enter');
  await page.locator('[data-testid=catalogue-row][data-product-id=tea-1]').waitFor();
  const stored = await (await fetch(`${baseUrl}/v1/catalogue/products/tea-1`)).json();
  assert.equal(stored.product.attributes.gtin, '1');
  await close(opened);
}

async function unreadableFile({ browser, baseUrl, screenshots }) {
  const opened = await openPage(browser, `${baseUrl}/console/data?import`);
  const { page } = opened;
  const another = page.getByRole('button', { name: 'Import another file' });
  await another.or(page.getByTestId('drop')).first().waitFor();
  if (await another.isVisible()) await another.click();
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(ORDERS, 'utf16le')]);
  await choose(page, 'Events', 'export.csv', utf16);
  await page.getByRole('button', { name: 'Upload' }).click();
  await state(page, 'failed').getByText('iconv -f UTF-16').waitFor();
  await assertAccessible(page, 'a file that cannot be read');
  await screenshot(page, screenshots, 'import-failed');
  await page.getByRole('button', { name: 'Discard' }).click();
  await page.getByTestId('drop').waitFor();
  const { import: open } = await (await fetch(`${baseUrl}/v1/imports`)).json();
  assert.equal(open ?? null, null, 'a discarded import is still there');
  await close(opened);
}

export const steps = [
  ['import: a dropped file is mapped by hand, seen, and imported', importOrders],
  ['import: products come from a feed', importProducts],
  ['import: a file that cannot be read says what to do', unreadableFile],
];
