// Runs the real binary with a small shop of its own. Tests may stop and start it.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SHOP = ['--users', '300', '--products', '400', '--orders', '4000'];
const START_TIMEOUT_MS = 180_000;

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class Server {
  #binary;
  #process = null;
  #log = '';

  #args;
  #env;
  /** Where tests may serve the pages of another shop, of another site. */
  shopUrl = null;

  constructor(binary, data, port, args, env) {
    this.#binary = binary;
    this.data = data;
    this.url = `http://127.0.0.1:${port}`;
    this.#args = args;
    this.#env = env;
  }

  /** Generates a shop, trains a model and starts the server. */
  static async open(binary) {
    const data = await mkdtemp(join(tmpdir(), 'cartwheel-page-'));
    const shopUrl = `http://localhost:${await freePort()}`;
    const env = {
      CARTWHEEL_DELIVERY_MAX_AGE_SECONDS: '2',
      CARTWHEEL_SERVER_CORS_ORIGINS: shopUrl,
    };
    const server = new Server(binary, data, await freePort(), ['demo', ...SHOP], env);
    server.shopUrl = shopUrl;
    await server.start();
    return server;
  }

  /** Starts a server of the same binary over an empty directory. */
  async another(env) {
    const data = await mkdtemp(join(tmpdir(), 'cartwheel-page-'));
    const server = new Server(this.#binary, data, await freePort(), ['serve'], env);
    await server.start();
    return server;
  }

  async start() {
    const listen = new URL(this.url).host;
    const args = ['--data-dir', this.data, ...this.#args, '--listen', listen];
    const env = { ...process.env, ...this.#env };
    this.#process = spawn(this.#binary, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process.stderr.on('data', (text) => (this.#log = (this.#log + text).slice(-8000)));
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline) {
      if (this.#process.exitCode !== null) break;
      const ready = await fetch(`${this.url}/readyz`).catch(() => null);
      if (ready?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`the server did not start:\n${this.#log}`);
  }

  /** Stops the server with SIGTERM and waits until it has exited. */
  async stop() {
    const child = this.#process;
    if (child === null || child.exitCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await exited;
  }

  /** Runs a command on the same data directory and returns its JSON output. */
  async command(...args) {
    const child = spawn(this.#binary, ['--data-dir', this.data, '--json', ...args]);
    let out = '';
    child.stdout.on('data', (text) => (out += text));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) throw new Error(`cartwheel ${args.join(' ')} exited with code ${code}`);
    return JSON.parse(out);
  }

  async close() {
    await this.stop();
    await rm(this.data, { recursive: true, force: true });
  }
}
