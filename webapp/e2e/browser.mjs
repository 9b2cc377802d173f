// Opens pages in a headless browser and checks what every page must fulfil.
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

// Opens `address` in a new browser context and checks its content security policy.
// `faults` collects console errors, uncaught exceptions and requests to other origins.
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
  assert.match(policy, /default-src 'self'/, 'the page has no content security policy');
  assert.doesNotMatch(policy, /unsafe/, 'the content security policy allows unsafe sources');
  await page.getByTestId('connection').filter({ hasText: 'Ready' }).first().waitFor();
  return { context, page, faults };
}

// Fails on faults that match none of the `expected` patterns.
export async function close({ context, faults }, expected = []) {
  await context.close();
  const unexpected = faults.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
  assert.deepEqual(unexpected, [], 'the page raised errors');
}

// Fails on serious and critical axe-core violations in the page's current state.
export async function assertAccessible(page, name) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const results = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return results.violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, help, nodes }) => ({
        id,
        help,
        nodes: nodes.slice(0, 5).map(({ html, failureSummary }) => `${html} ${failureSummary}`),
      }));
  });
  assert.deepEqual(violations, [], `${name} is not accessible`);
}

export async function assertNoSidewaysScroll(page, name) {
  const { content, window } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
  }));
  assert.ok(content <= window, `${name} is ${content} px wide in a window of ${window} px`);
}

export async function screenshot(page, folder, name) {
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

// Presses Tab until `reached` returns true in the page; fails after `maxPresses`.
export async function tabTo(page, reached, name, maxPresses = 80) {
  for (let presses = 0; presses < maxPresses; presses += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(reached)) return;
  }
  assert.fail(`the Tab key does not reach ${name}`);
}
