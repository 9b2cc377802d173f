// Starts the browser and watches everything that a page must not do.
import { chromium } from 'playwright-core';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--no-first-run',
  '--disable-component-update',
  '--disable-sync',
];
// The page must run under this policy, whoever serves it.
const POLICY = "default-src 'self'";

export function launch() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: ARGS });
}

// A fresh profile and page under the policy. `faults` collects console errors,
// uncaught exceptions and requests to other origins.
export async function openPage(browser, baseUrl, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    locale: 'en-GB',
    ...options,
  });
  const page = await context.newPage();
  const faults = [];
  const { origin } = new URL(baseUrl);
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`foreign: ${request.url()}`);
  });
  await page.route(
    (url) => url.origin === origin && url.pathname === '/',
    async (route) => {
      const response = await route.fetch();
      const headers = { ...response.headers(), 'content-security-policy': POLICY };
      await route.fulfill({ response, headers });
    },
  );
  await page.goto(baseUrl, { waitUntil: 'load' });
  await page.getByTestId('connection').filter({ hasText: 'Ready' }).waitFor();
  return { context, page, faults };
}
