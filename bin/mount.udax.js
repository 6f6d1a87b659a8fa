#!/usr/bin/env node
// What mount(8) runs for `mount -t udax` and for /etc/fstab: docs/mount.md says how it is installed.
'use strict';
const { join } = require('node:path');
const { load, mustBeBuilt } = require('./door.js');

// Exit statuses of mount(8).
const USAGE = 1;
const FAILED = 32;

mustBeBuilt('mount.udax', FAILED);
const { main, mountWords } = load();
const given = mountWords(process.argv.slice(2));
if ('usage' in given) {
  process.stderr.write(`mount.udax: ${given.usage} (EINVAL)\n`);
  process.exitCode = USAGE;
} else if ('words' in given) run(given.words);

async function run(words) {
  const udax = join(__dirname, 'udax.js');
  process.argv[1] = udax; // what the mount's own process is started with
  await main([process.argv[0], udax, ...words]);
  if (process.exitCode) process.exitCode = FAILED;
}
