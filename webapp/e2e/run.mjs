// node e2e/run.mjs BINARY [--only TEXT] [--screenshots FOLDER]
// Tests the web app in a real browser against the real binary. Every step also fails on
// console errors, violations of the content security policy and requests to other hosts.
import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { launch } from './browser.mjs';
import { Server } from './server.mjs';
import { steps as assistantSteps } from './assistants.mjs';
import { steps as clientSteps } from './clients.mjs';
import { steps as catalogueSteps } from './catalogue.mjs';
import { steps as consoleSteps } from './console.mjs';
import { steps as importSteps } from './imports.mjs';
import { steps as keySteps } from './keys.mjs';
import { steps as sendSteps } from './send.mjs';
import { steps as shopSteps } from './shop.mjs';
import { steps as tagSteps } from './tag.mjs';

const USAGE = 'usage: node e2e/run.mjs BINARY [--only TEXT] [--screenshots FOLDER]';

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { only: { type: 'string', default: '' }, screenshots: { type: 'string' } },
    });
    if (positionals.length !== 1) throw new Error(USAGE);
    return { binary: positionals[0], ...values };
  } catch (error) {
    console.error(error.message === USAGE ? USAGE : `${error.message}\n${USAGE}`);
    return process.exit(2);
  }
}

const { binary, only, screenshots } = readArguments();
if (screenshots) await mkdir(screenshots, { recursive: true });
// Keys come last: once a key exists, the server rejects requests without one.
const steps = [
  ...sendSteps,
  ...shopSteps,
  ...catalogueSteps,
  ...consoleSteps,
  ...importSteps,
  ...clientSteps,
  ...assistantSteps,
  ...keySteps,
  ...tagSteps,
].filter(([name]) => name.includes(only));
const server = await Server.open(binary);
const browser = await launch();
let failed = 0;
try {
  for (const [name, step] of steps) {
    const started = Date.now();
    try {
      await step({ browser, server, baseUrl: server.url, screenshots });
      console.log(`ok      ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}`);
      console.error(error instanceof Error ? (error.stack ?? error.message) : error);
    }
  }
} finally {
  await browser.close();
  await server.close();
}
console.log(`${steps.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
