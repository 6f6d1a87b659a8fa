import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { machineWithFiles, onMachine } from './lifetime-support.js';
import { runChild } from './support.js';

/**
 * Incident: at vm.max_map_count mmap failed and the engine aborted with bad_alloc, because only big mappings were counted; and
 * dropped views were never unmapped. Right: all mappings count, a reserve stays free, and dropped views are collected and
 * reported.
 */
const limit = Number(fs.readFileSync('/proc/sys/vm/max_map_count', 'latin1'));
const tooMany = limit > 200_000;

describe('views dropped without close()', () => {
  it('come back, 1,500 of them, while file and volume stay open', () => {
    const { stdout, stderr, end } = onMachine(
      machineWithFiles(),
      `const before = mapped();
      const file = volume.open('/f1');
      (() => { for (let i = 0; i < 1500; i++) {
        const view = (i % 2 ? file : volume.open('/f2')).map({ offset: 4096 * (i % 250), length: 4096 * (1 + (i % 6)) });
        if (view.length === 0) throw new Error('dead');
      } })();
      const most = mapped();
      await collected(() => mapped() <= before);
      console.log(most > before + 500, mapped() - before, machine.status().process.mappings);
      const view = file.map();
      await collected(() => false);
      console.log(view.length, view[7], mapped() - before);`,
    );
    expect({ stdout, stderr, end }).toEqual({ stdout: 'true 0 0\n1048576 2 1\n', stderr: '', end: 0 });
  });

  // What went wrong: a view kept its VolumeFile alive, and a volume that closes its files would have kept all of them. Right: a
  // dropped file is collected while its view is in use, and the file's pages are released with the last view.
  it('keep the memory of their file, but not the file; a file that was never mapped keeps nothing', () => {
    const { stdout, stderr, end } = onMachine(
      machineWithFiles(),
      `const weak = [];
      let view = (() => {
        for (let i = 0; i < 100; i++) weak.push(new WeakRef(volume.open('/f3')));
        const file = volume.open('/f1');
        weak.push(new WeakRef(file));
        return file.map();
      })();
      const { dax } = machine.device('dax0.0');
      const owner = () => dax.pages.describe(dax.directAccess(volume.getmap('/f1').extents[0].offset / 4096, 1, 'recovery').hpa / 4096).mapping;
      // Asking a WeakRef keeps what it refers to over that turn.
      for (let i = 0; i < 10; i++) { gc(); await turn(); }
      console.log(weak.filter((ref) => ref.deref()).length, view.length, view[9], owner() === null, volume.open('/f1').map() === view);
      view = undefined;
      await collected(() => owner() === null);
      console.log(owner() === null, machine.status().process.mappings);
      volume.open('/f1').map();
      volume.close();
      console.log(machine.status().process.mappings);`,
    );
    expect({ stdout, stderr, end }).toEqual({
      stdout: '0 1048576 2 false true\ntrue 0\n0\n',
      stderr: '',
      end: 0,
    });
  });

  it('are told in debug mode', () => {
    const { stderr } = onMachine(
      machineWithFiles(),
      `(() => { volume.open('/f1').map(); })(); await collected(() => machine.status().process.mappings === 0);`,
      { UDAX_DEBUG: '1' },
    );
    expect(stderr).toMatch(/\/f1 on dax0.0: a mapping was dropped without close\(\)/);
  });

  it('come back to their memory node, which is free then', () => {
    const { stdout, end } = onMachine(
      machineWithFiles(),
      `machine.createRegion({ size: '128MiB', sparse: true, targetNode: 7 });
      machine.reconfigure('dax2.0', 'system-ram');
      const node = machine.node(7);
      (() => { for (let i = 0; i < 50; i++) node.alloc(8192).bytes.fill(3); })();
      const kept = node.alloc(4096).bytes.subarray(10);
      console.log(node.stats().usedBytes, machine.holders('node7').length);
      await collected(() => node.stats().usedBytes === 4096);
      kept[0] = 4;
      console.log(node.stats().usedBytes, kept[0], machine.holders('node7').length);`,
    );
    expect({ stdout, end }).toEqual({ stdout: '413696 1\n4096 4 1\n', end: 0 });
  });

  it('stay as long as any array on them lives, and end with their file', () => {
    const { stdout, end } = onMachine(
      machineWithFiles(),
      `const file = volume.open('/f1');
      const part = file.map().subarray(4096, 8192);
      const words = new Uint32Array(volume.open('/f3').mapAs(Float64Array).buffer, 64, 4);
      for (let i = 0; i < 30; i++) { gc(); await turn(); }
      console.log(part.length, part[0], words[1]);
      file.close();
      console.log(part.length, words.length);`,
    );
    expect({ stdout, end }).toEqual({ stdout: `4096 2 ${0x04040404}\n0 4\n`, end: 0 });
  });
});

describe(`the map count of the process${tooMany ? ' (skipped: vm.max_map_count is very high here)' : ''}`, () => {
  it.skipIf(tooMany)(
    'is never exhausted by small mappings: ENOMEM with the figures, and the engine goes on',
    () => {
      const { stdout, signal, status } = runChild(`
      const backing = memory.memfdBacking('many', 2 ** 29);
      const physical = new memory.PhysicalMemory();
      physical.insert({ start: 0, length: 2 ** 29, backing, offset: 0 });
      const views = [];
      let error;
      // Every other page: neighbours would be one mapping for the kernel.
      try { for (let i = 0; ; i++) views.push(physical.map([{ start: (i * 8192) % 2 ** 29, length: 4096 + 8192 * Math.floor(i / 65536) }], { access: i % 2 ? 'shared' : 'private' })); }
      catch (caught) { error = caught; }
      const used = fs.readFileSync('/proc/self/maps', 'latin1').split('\\n').length;
      console.log(error.code, /vm.max_map_count/.test(error.message), ${limit} - used > 1500, ${limit} - used < 4000);
      const heap = Array.from({ length: 200 }, () => new Uint8Array(2 ** 20).fill(1));
      for (const view of views.splice(0, 5000)) view.close();
      console.log(heap.length);
    `);
      expect({ stdout, signal, status }).toEqual({
        stdout: 'ENOMEM true true true\n200\n',
        signal: null,
        status: 0,
      });
    },
  );
});
