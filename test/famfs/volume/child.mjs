// Another process over the same pool, on the built package. Prints one JSON line for each thing it did.
import fs from 'node:fs';
import { Bus } from '../../../dist/dax/index.js';
import { mountFamfsOn } from '../../../dist/famfs/index.js';
import { openBacking, PhysicalMemory } from '../../../dist/memory/index.js';

const [file, uuid, command, ...rest] = process.argv.slice(2);
const HPA = 2 ** 40;
const size = fs.statSync(file).size;
const backing = openBacking(file, { writable: true });
const memory = new PhysicalMemory();
memory.insert({ start: HPA, length: size, backing, offset: 0 });
const bus = new Bus({ memory });
bus.insmod('fsdev_dax');
bus.addRegion({ type: 'device', static: true, start: HPA, size, align: 2 ** 21, targetNode: 0 });
bus.newId('fsdev_dax', 'dax0.0');
const device = {
  name: 'dax0.0',
  dax: bus.device('dax0.0').dax,
  systemUuid: uuid,
  writable: true,
  hold: () => ({ release() {} }),
};
const volume = mountFamfsOn(device, { lockWaitMs: 30_000 });
const say = (what) => fs.writeSync(1, `${JSON.stringify(what)}\n`);

const commands = {
  /** COUNT files of one unit each, each marked with its name. */
  create(prefix, count) {
    for (let i = 0; i < Number(count); i++) {
      const path = `/${prefix}${i}`;
      const created = volume.create(path, { size: path.length });
      created.write(Buffer.from(path), 0);
      created.close();
    }
    say('done');
  },
  /** Until killed. */
  createForever(prefix) {
    for (let i = 0; ; i++) {
      const path = `/${prefix}${i}`;
      volume.create(path, { size: path.length, zero: false }).close();
      say(path);
    }
  },
  async copyInForever(prefix, source) {
    for (let i = 0; ; i++) {
      await volume.copyIn(source, `/${prefix}${i}`);
      say(`/${prefix}${i}`);
    }
  },
  /** Stops in the middle of a copy, alive. */
  async copyInAndHang(path, source) {
    await volume.copyIn(source, path, {
      onProgress() {
        say('copying');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      },
    });
  },
  /** Waits for a file to appear, without reopening, and prints what is in it. */
  async waitFor(path) {
    say('waiting');
    while (!volume.exists(path)) {
      volume.refresh();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const view = volume.open(path).map();
    while (view[0] === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    say(Buffer.from(view).toString());
  },
};
await commands[command](...rest);
volume.close();
memory.close();
backing.close();
