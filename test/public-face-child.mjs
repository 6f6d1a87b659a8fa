// Calls what public-face.test.ts found in the declaration files with every wrong value, on a machine to throw away.
// argv: a JSON file { functions: [{ name, parameters }], methods: [{ owner, name, parameters }] }. Prints what came back that is no DaxError.
import fs from 'node:fs';
import path from 'node:path';
import * as udax from '../dist/index.js';

const { functions, methods } = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const root = path.resolve('state');
process.env.UDAX_ROOT = root;
process.env.UDAX_SYSTEM_UUID = '11111111-2222-4333-8444-555555555555';

const values = [
  undefined,
  null,
  true,
  0,
  -1,
  Number.NaN,
  1e300,
  '',
  'x',
  {},
  { bogus: 1 },
  [],
  [1],
  Symbol('s'),
  () => {},
  10n,
  new Uint8Array(2),
  new Float32Array(2),
  new Date(0),
];

const machine = udax.openMachine(root, { create: true });
machine.createRegion({ size: '64MiB' });
machine.createRegion({ size: '2MiB' });
machine.reconfigure('dax0.0', 'famfs');
udax.mkfs(machine.device('dax0.0'));
const volume = udax.mountFamfs(machine.device('dax0.0'));
const file = volume.create('/f', { size: 8192 });
udax.createQueue(volume, '/q', { nbuckets: 4, bucketSize: 64 });
const kernel = udax.openKernel(`kernel:${fs.mkdtempSync(path.resolve('sys-'))}`, { stateDirectory: root });
const view = file.map();
const owners = {
  Machine: machine,
  KernelMachine: kernel,
  Volume: volume,
  VolumeFile: file,
  Queue: udax.openQueue(volume, '/q', { role: 'both' }),
  VolumeWatcher: volume.watch(),
  Sysfs: udax.sysfs(machine),
  MachineDevice: machine.device('dax0.0'),
  OpenDax: machine.openDax('dax1.0'),
  MemoryNodeHandle: machine.node(9),
  FileLock: file.lock(0, 1),
  ViewPin: file.pin(view),
};

const face = Object.fromEntries(Object.entries(udax));
const wrong = [];
let calls = 0;

function judge(what, error) {
  const isOurs = error instanceof udax.DaxError && typeof error.code === 'string';
  if (!isOurs && error?.name !== 'AbortError') wrong.push(`${what}: ${error?.name}: ${error?.message}`);
}

async function call(what, self, method, args) {
  calls++;
  try {
    let result = method.apply(self, args);
    if (typeof result?.next === 'function' && !(result instanceof udax.VolumeWatcher)) result = result.next();
    if (result instanceof Promise) {
      // What waits for a message or an event may wait: that is no wrong answer.
      result = await Promise.race([result, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    if (result !== self && typeof result?.close === 'function') result.close();
  } catch (error) {
    judge(what, error);
  }
}

function* argumentLists(count) {
  yield [];
  for (const value of values) {
    yield Array(Math.max(count, 1)).fill(value);
    for (let at = 1; at < count; at++) {
      // The ones before it right enough to get there: a name, a path.
      yield [...Array(at).fill('x'), value];
      yield [...Array(at).fill(undefined), value];
    }
  }
}

const shown = (args) =>
  args
    .map((value) =>
      typeof value === 'bigint'
        ? `${value}n`
        : typeof value === 'string'
          ? `'${value}'`
          : String(value === Object(value) ? Object.prototype.toString.call(value) : value),
    )
    .join(', ');

for (const { name, parameters } of functions) {
  for (const args of argumentLists(parameters))
    await call(`${name}(${shown(args)})`, undefined, face[name], args);
}
for (const { owner, name, parameters } of methods) {
  const self = owners[owner];
  if (self === undefined) {
    wrong.push(`no example of ${owner}: add one to this file`);
    continue;
  }
  for (const args of argumentLists(parameters))
    await call(`${owner}.${name}(${shown(args)})`, self, self[name], args);
}
for (const value of values) {
  try {
    new udax.DaxError(value, value);
  } catch (error) {
    judge(`new DaxError(${shown([value])})`, error);
  }
}
fs.writeFileSync('answer.json', JSON.stringify({ calls, wrong }));
process.exit(0);
