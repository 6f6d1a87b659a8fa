#!/usr/bin/env node
// The door of the command line: what needs no program is answered here.
'use strict';

if (process.argv.length === 3 && process.argv[2] === '--version') {
  process.stdout.write(`${require('../package.json').version}\n`);
} else {
  const main = load();
  if (main === undefined) process.exitCode = 1;
  else main(process.argv);
}

/** A process that may open too few files cannot even load the program: that is said in a line, as everything else. */
function load() {
  try {
    const door = require('./door.js');
    door.mustBeBuilt('udax', 1);
    return door.load().main;
  } catch (error) {
    if (error?.code !== 'EMFILE' && error?.code !== 'ENFILE' && error?.code !== 'EACCES') throw error;
    const next = error.code === 'EACCES' ? '' : ', raise the limit (ulimit -n)';
    process.stderr.write(
      `udax: ${error.path} cannot be loaded: ${error.message.replace(/^[A-Z]+: ([^,]+).*/, '$1')}${next} (${error.code})\n`,
    );
    return undefined;
  }
}
