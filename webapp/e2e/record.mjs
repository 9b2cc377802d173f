// node e2e/record.mjs BINARY FOLDER
// Walks through the shop and the console and writes the pictures of FOLDER/frames.json, for
// scripts/record-shop.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { close, launch, openPage } from './browser.mjs';
import { Server } from './server.mjs';

const [binary, folder] = process.argv.slice(2);
const SIZE = { width: 1200, height: 720 };
const frames = [];

await mkdir(folder, { recursive: true });
const server = await Server.open(binary);
const browser = await launch();
try {
  const opened = await openPage(browser, server.url, { viewport: SIZE });
  const { page } = opened;

  /** Takes a picture that is shown for `ms` milliseconds. */
  const take = async (ms) => {
    const file = `${String(frames.length).padStart(2, '0')}.png`;
    await page.screenshot({ path: join(folder, file) });
    frames.push({ file, ms });
  };
  /** Shows where the next click is, and clicks. */
  const press = async (locator) => {
    await locator.scrollIntoViewIfNeeded();
    const { x, y, width, height } = await locator.boundingBox();
    await page.evaluate(
      ([left, top]) => {
        const mark = document.createElement('div');
        mark.id = 'press';
        Object.assign(mark.style, {
          position: 'fixed',
          left: `${left - 17}px`,
          top: `${top - 17}px`,
          width: '34px',
          height: '34px',
          borderRadius: '50%',
          background: '#e0a02a99',
          border: '2px solid #8a5a00',
          zIndex: '999',
        });
        document.body.append(mark);
      },
      [x + width / 2, y + height / 2],
    );
    await take(650);
    await page.evaluate(() => document.getElementById('press')?.remove());
    await locator.click();
  };
  /** Waits until the next answer is shown. */
  const add = async (locator) => {
    const answered = page.waitForResponse((answer) => answer.url().endsWith('/submit'));
    await press(locator);
    await answered;
    await page.waitForTimeout(400);
    await take(1600);
  };

  await page.getByTestId('product-card').first().waitFor();
  await take(1500);
  const cards = page.getByTestId('product-card').getByRole('button', { name: /^Add/ });
  await add(cards.nth(1));
  const forYou = page.getByRole('complementary', { name: 'Recommendations' });
  await add(forYou.getByRole('button', { name: /^Add/ }).nth(0));
  await add(forYou.getByRole('button', { name: /^Add/ }).nth(2));
  await press(page.getByRole('link', { name: 'The console' }));
  await page.getByTestId('live-event').first().waitFor();
  await page.waitForTimeout(1500);
  await take(2000);
  await page.getByTestId('live-event').first().scrollIntoViewIfNeeded();
  await page.waitForTimeout(600);
  await take(1000);
  await page.waitForTimeout(4000);
  await take(2200);
  await close(opened);
} finally {
  await browser.close();
  await server.close();
}
await writeFile(join(folder, 'frames.json'), JSON.stringify(frames));
