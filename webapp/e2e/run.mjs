// node e2e/run.mjs BASE_URL [--screenshot FILE]
// Drives the page of a running server with data in a real browser. Every step
// also fails on a console error, a breach of the content security policy or a
// request to another host.
import { parseArgs } from 'node:util';
import { launch } from './browser.mjs';
import { steps } from './steps.mjs';

const USAGE = 'usage: node e2e/run.mjs BASE_URL [--screenshot FILE]';

function read() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { screenshot: { type: 'string' } },
    });
    if (positionals.length !== 1 || !URL.canParse(positionals[0])) throw new Error(USAGE);
    return { baseUrl: positionals[0], screenshot: values.screenshot };
  } catch (error) {
    console.error(error.message === USAGE ? USAGE : `${error.message}\n${USAGE}`);
    return process.exit(2);
  }
}

const options = read();
const browser = await launch();
let failed = 0;
for (const [name, step] of steps) {
  try {
    await step({ browser, ...options });
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}`);
    console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  }
}
await browser.close();
console.log(`${steps.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
