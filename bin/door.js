// Loads the bundled command. V8's compiled code of it is kept beside it, as Python keeps its own in __pycache__: written by the first
// run of a Node that may write there, read by all others of the same Node and build.
'use strict';
const fs = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { cachedDataVersionTag } = require('node:v8');
const vm = require('node:vm');

const bundle = join(__dirname, '../dist/bundle');
const file = join(bundle, 'cli/main.cjs');
const places = join(bundle, 'cache');
/** Bytes of the hash that a build begins with: `/* <hash> `. */
const HASH_BYTES = 16;

/** Says that the command is not built, in a line, and ends the process. */
exports.mustBeBuilt = (name, status) => {
  if (fs.existsSync(file)) return;
  process.stderr.write(`${name}: not built yet: run \`npm run build\` in the udax checkout (ENOENT)\n`);
  process.exit(status);
};

/** What the bundle exports: { main, mountWords }. @throws EMFILE, ENFILE, EACCES its files cannot be opened */
exports.load = () => {
  const source = fs.readFileSync(file, 'latin1');
  const cache = join(places, `${source.slice(3, 3 + HASH_BYTES)}-${cachedDataVersionTag().toString(16)}`);
  const cachedData = bytesOf(cache);
  const script = new vm.Script(`(function (module, require, __filename) {${source}\n})`, {
    filename: file,
    cachedData,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (cachedData === undefined || script.cachedDataRejected)
    process.once('exit', (status) => keep(cache, script, status));
  const found = { exports: {} };
  script.runInThisContext()(found, createRequire(file), file);
  return found.exports;
};

function bytesOf(cache) {
  try {
    return fs.readFileSync(cache);
  } catch {
    return undefined; // without it all runs, only later
  }
}

/** Keeps the code, all it compiled included. Only the owner of the package writes there, and a run that failed may have compiled little. */
function keep(cache, script, status) {
  const part = `${cache}.${process.pid}`;
  try {
    if (status !== 0 || fs.statSync(bundle).uid !== process.getuid()) return;
    fs.mkdirSync(places, { recursive: true, mode: 0o755 });
    fs.writeFileSync(part, script.createCachedData(), { mode: 0o644, flag: 'wx' });
    fs.renameSync(part, cache);
  } catch {
    try {
      fs.rmSync(part, { force: true });
    } catch {
      // What the command did is done, and its exit status stays; the next run tries again.
    }
  }
}
