// Another process of a machine, for the tests: `node child.mjs VERB ROOT ...`, one JSON line an answer,
// one line on stdin to go on. Runs the built package.
import fs from 'node:fs';
import { createInterface } from 'node:readline';
import { openDevice, openMachine } from '../../dist/machine/index.js';

const [verb, root, ...args] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const wait = () => lines.next();
/** As patient as a command: these tests share two processors with many others. */
const open = () => openMachine(root, { create: true, lockWaitMs: 30_000 });
const attempt = (act) => {
  try {
    return { ok: true, value: act() };
  } catch (error) {
    return { ok: false, code: error.code, message: error.message };
  }
};

const verbs = {
  /** Opens the machine, says what is there. */
  async list() {
    const opened = attempt(() => open());
    if (!opened.ok) return say(opened);
    say({ ok: true, regions: opened.value.regions(), devices: opened.value.devices() });
    say(attempt(() => void opened.value.createRegion({ size: '2M' })));
  },
  /** Holds a device in famfs mode until told to let go. */
  async hold() {
    const [device, purpose] = args;
    const machine = open();
    const hold = machine.device(device).hold(purpose ?? 'mount');
    say({ pid: process.pid });
    await wait();
    hold.release();
    say({ released: true });
    await wait();
  },
  /** Maps a device raw, writes a byte, keeps it until told. */
  async map() {
    const [device] = args;
    const machine = open();
    const raw = machine.openDax(device);
    const view = raw.mmap();
    view[0] = 0xab;
    say({ length: view.length });
    await wait();
    raw.close();
    say({ length: view.length });
    await wait();
  },
  /** Tries one call of the machine. */
  async call() {
    const [method, ...parameters] = args;
    const machine = open();
    say(attempt(() => machine[method](...parameters.map((text) => JSON.parse(text)))));
    machine.close();
  },
  /** Same on the object kept open: says at each line what it sees without reopening. */
  async watch() {
    const machine = open();
    for (;;) {
      say({
        devices: machine.devices(),
        poison: machine.poisonList(),
        generation: machine.status().generation,
      });
      if ((await wait()).done) break;
    }
  },
  /** Asks the machine kept open, at each line. */
  async 'call-often'() {
    const machine = openMachine(root);
    for (;;) {
      say(attempt(() => machine.devices().length));
      if ((await wait()).done) break;
    }
  },
  /** Makes a region; from the rename of machine.json on, one kind of call of node:fs fails. */
  async 'fail-after-rename'() {
    const warnings = [];
    process.on('warning', (warning) => warnings.push(`${warning.code} ${warning.message}`));
    const machine = openMachine(root);
    let failed = false;
    let isRenamed = false;
    const name = `${args[0]}Sync`;
    const real = fs[name];
    fs[name] = (...parameters) => {
      // rm clears the way before the rename; a listing of holders/ is no part of the change.
      if (!isRenamed || failed) return real(...parameters);
      failed = true;
      throw Object.assign(new Error(`EMFILE: too many open files, ${args[0]}`), {
        code: 'EMFILE',
        syscall: args[0],
      });
    };
    const rename = fs.renameSync;
    fs.renameSync = (from, to) => {
      rename(from, to);
      if (String(to).endsWith('machine.json')) isRenamed = true;
    };
    if (args[0] === 'rm') fs.writeFileSync(`${root}/regions/9.mem.old`, 'left over');
    // What lies there now is swept before the change; put another there for the sweep after it.
    const result = attempt(() =>
      machine.change(() => {
        const { id } = machine.createRegion({ size: '2M' });
        if (args[0] === 'rm') fs.writeFileSync(`${root}/regions/9.mem.old`, 'left over');
        return id;
      }),
    );
    await new Promise((resolve) => setImmediate(resolve));
    say({ ...result, failed, warnings });
    await wait();
  },
  /** Allocates from a memory node and keeps it. */
  async allocate() {
    const machine = open();
    const buffer = machine.node(Number(args[0])).alloc(4096);
    say({ length: buffer.bytes.length });
    await wait();
    buffer.free();
    say({ freed: true });
    await wait();
  },
  /** Makes and destroys regions and changes modes, for ever: the test kills it. */
  async churn() {
    const machine = open();
    say({ started: true });
    for (;;) {
      const { id, devices } = machine.createRegion({ size: '2M' });
      machine.reconfigure(devices[0], 'famfs');
      machine.disable(devices[0]);
      machine.destroyRegion(id);
    }
  },
  /** Makes `count` regions, one change each. */
  async regions() {
    const machine = open();
    say({ ready: true });
    await wait();
    for (let i = 0; i < Number(args[0]); i++) machine.createRegion({ size: '2M' });
    say({ done: true });
    machine.close();
  },
  /** First use, create, reconfigure, destroy; killed before its Nth call that changes the disk. Says how many there were if it lives. */
  async dieAt() {
    const changing = ['fsync', 'ftruncate', 'mkdir', 'rename', 'rm', 'unlink', 'writeFile', 'write'];
    let calls = 0;
    const countDown = () => {
      if (++calls === Number(args[0])) process.kill(process.pid, 'SIGKILL');
    };
    for (const name of [...changing, 'open'].map((call) => `${call}Sync`)) {
      const real = fs[name];
      fs[name] = (...parameters) => {
        // Opening changes something only where it makes or empties a file.
        const flags = parameters[1];
        const isChange =
          typeof flags === 'string' ? flags.startsWith('w') : (flags & fs.constants.O_CREAT) !== 0;
        if (name !== 'openSync' || isChange) countDown();
        return real(...parameters);
      };
    }
    const machine = open();
    const { id } = machine.createRegion({ size: '2M' });
    machine.reconfigure('dax0.0', 'famfs');
    machine.device('dax0.0').hold('mount').release();
    machine.destroyRegion(id);
    machine.close();
    say({ calls });
  },
  /** Locks bytes of a file it may only read, shared, as long as it lives: what anybody can do who may open it. */
  async lockShared() {
    const [start, length] = args;
    const fd = fs.openSync(root, 'r');
    const { ofdLock } = await import('../../dist/libc/index.js');
    say({ locked: ofdLock(fd, 'shared', { start: Number(start), length: Number(length) }) });
    await wait();
  },
  /** Looks at a machine, then tries to change it. */
  async readOnly() {
    const opened = attempt(() => openMachine(root));
    say(opened.ok ? attempt(() => opened.value.devices()) : opened);
    say(attempt(() => void opened.value.createRegion({ size: '2M' })));
  },
  /** Stops itself (SIGSTOP) in the middle of a change. */
  async stopInChange() {
    const machine = open();
    machine.change(() => {
      fs.writeSync(1, `${JSON.stringify({ stopping: true })}\n`);
      process.kill(process.pid, 'SIGSTOP');
    });
    say({ continued: true });
  },
  /** Holds an image until told. */
  async image() {
    const [where, purpose] = args;
    const device = openDevice(where, { root });
    const held = attempt(() => void device.hold(purpose));
    say(held);
    await wait();
    device.close();
  },
};

await verbs[verb]();
process.exit(0);
