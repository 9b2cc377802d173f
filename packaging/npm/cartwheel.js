#!/usr/bin/env node
// Starts the program of this platform's package, with its signals and exit code.
'use strict';
const { spawn } = require('node:child_process');
const { existsSync } = require('node:fs');
const { dirname, join } = require('node:path');

const name = `@cartwheel/${process.platform}-${process.arch}`;
let folder;
try {
  folder = dirname(require.resolve(`${name}/package.json`));
} catch {
  console.error(`error: the package ${name} is not installed: cartwheel has no program for this platform, or npm was told to leave out optional packages`);
  process.exit(1);
}
const env = { ...process.env };
// npm keeps no links, so that the library is not beside the program.
const library = join(folder, 'xgboost', 'lib', 'libxgboost.so');
if (existsSync(library)) env.CARTWHEEL_TRAIN_LIBRARY ??= library;
const child = spawn(join(folder, 'cartwheel'), process.argv.slice(2), { stdio: 'inherit', env });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) => process.exit(signal ? 1 : code));
