// Starts the browser and watches everything that a page must not do.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--no-first-run',
  '--disable-component-update',
  '--disable-sync',
];
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WAIT_MS = 15_000;

export function launch() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: ARGS });
}

// A fresh profile and page under the policy that the server sends. `faults` collects
// console errors, uncaught exceptions and requests to other origins; `expected` are
// patterns of those that a test brings about itself.
export async function openPage(browser, address, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    locale: 'en-GB',
    ...options,
  });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  const faults = [];
  const { origin } = new URL(address);
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`foreign: ${request.url()}`);
  });
  const response = await page.goto(address, { waitUntil: 'load' });
  const policy = response.headers()['content-security-policy'] ?? '';
  assert.match(policy, /default-src 'self'/, 'the page comes without a policy');
  assert.doesNotMatch(policy, /unsafe/, 'the policy allows what is written into the page');
  await page.getByTestId('connection').filter({ hasText: 'Ready' }).first().waitFor();
  return { context, page, faults };
}

export async function close({ context, faults }, expected = []) {
  await context.close();
  const others = faults.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
  assert.deepEqual(others, [], 'the page raised errors');
}

// Fails on what axe-core calls serious or critical, in the state the page is in.
export async function accessible(page, what) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    // Whatever moves would be measured half-way.
    const results = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return results.violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, help, nodes }) => ({
        id,
        help,
        nodes: nodes.slice(0, 5).map(({ html, failureSummary }) => `${html} ${failureSummary}`),
      }));
  });
  assert.deepEqual(found, [], `${what} is not accessible`);
}

export async function noSidewaysScroll(page, what) {
  const { content, window } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
  }));
  assert.ok(content <= window, `${what} is ${content} px wide in a window of ${window} px`);
}

export async function screenshot(page, folder, name) {
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

// Presses Tab until `found` holds of the focused element; fails where it never does.
export async function tabTo(page, found, what, most = 80) {
  for (let presses = 0; presses < most; presses += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(found)) return;
  }
  assert.fail(`the Tab key does not reach ${what}`);
}
