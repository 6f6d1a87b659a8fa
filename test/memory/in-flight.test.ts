import { describe, expect, it } from 'vitest';
import { mkfs, mountFamfs, openMachine } from '../../src/index.js';
import { machineWithFiles, onMachine } from './lifetime-support.js';
import { closedAfterwards, errorOf, freshMemory, HPA, PAGE, temporaryDirectory } from './support.js';

/**
 * Incident: close() unmapped a view in which native threads still worked (zlib, fs.write, crypto, sockets). The result was a
 * SIGSEGV, or bytes of other memory. Right: zero pages replace the memory and the addresses stay reserved for a while. A pin
 * makes close() wait.
 */
describe('native work in a view that is closed meanwhile', () => {
  const work = {
    zlib: `for (let i = 0; i < 8; i++) all.push(new Promise((done) => zlib.deflate(view, { level: 9 }, done)));`,
    digest: `for (let i = 0; i < 8; i++) all.push(crypto.subtle.digest('SHA-512', view));`,
    randomFill: `for (let i = 0; i < 8; i++) all.push(new Promise((done) => crypto.randomFill(view, done)));`,
    'fs.write': `const fd = fs.openSync('/dev/null', 'w');
      for (let i = 0; i < 64; i++) all.push(new Promise((done) => fs.write(fd, view, done)));`,
    'fs.read': `const fd = fs.openSync('/dev/urandom');
      for (let i = 0; i < 8; i++) all.push(new Promise((done) => fs.read(fd, view, done)));`,
  };
  const ends = {
    'close() of the file': 'file.close()',
    'close() of the machine': 'volume.close(); machine.close()',
    'a disabled device': `machine.disable('dax0.0', { force: true })`,
    'a memory failure': `machine.memoryFailure({ device: 'dax0.0', offset: volume.getmap('/f1').extents[0].offset, length: 4096 })`,
  };

  it.each(Object.entries(work))('%s goes on over zeroes, whatever ends the view', (_name, start) => {
    for (const [how, end] of Object.entries(ends)) {
      const outcome = onMachine(
        machineWithFiles(),
        `const file = volume.open('/f1');
        const view = file.map();
        const all = [];
        ${start}
        ${end};
        const { length } = view;
        await Promise.all(all.map((work) => work.catch(() => {})));
        console.log(length, mapped() > 20);`,
      );
      expect({ how, ...outcome }).toEqual({ how, stdout: '0 false\n', stderr: '', end: 0 });
    }
  });

  it('finds zero pages at the addresses of a view that ended, which no later mapping gets', () => {
    const { memory } = freshMemory(64 * PAGE);
    const taken = new Set<number>();
    for (let i = 0; i < 200; i++) {
      const mapping = memory.map([{ start: HPA, length: (1 + (i % 64)) * PAGE }], { access: 'shared' });
      expect(taken.has(mapping.address)).toBe(false);
      taken.add(mapping.address);
      mapping.close();
    }
  });
});

describe('a pin', () => {
  function openVolume() {
    const machine = closedAfterwards(
      openMachine(`${temporaryDirectory('/dev/shm')}/machine`, { create: true }),
    );
    machine.createRegion({ size: '16MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    mkfs(machine.device('dax0.0'));
    const volume = mountFamfs(machine.device('dax0.0'));
    volume.create('/a', { size: 8192 }).write(new Uint8Array(8192).fill(5), 0);
    return { machine, volume };
  }

  it('keeps its view over close() of file and volume, and the device held, until the last is released', () => {
    const { machine, volume } = openVolume();
    const file = volume.open('/a');
    const view = file.mapAs(Uint16Array);
    const [pin, second] = [file.pin(view), file.pin(view.subarray(4))];
    file.close();
    volume.close();
    expect([view.length, view[9], pin.held]).toEqual([4096, 0x505, true]);
    expect(machine.holders('dax0.0').length).toBe(1);
    pin.release();
    pin.release();
    expect(view.length).toBe(4096);
    second[Symbol.dispose]();
    expect([view.length, second.held, machine.holders('dax0.0')]).toEqual([0, false, []]);
  });

  it('keeps other views of the file no longer than their handle', () => {
    const { volume } = openVolume();
    const [file, other] = [volume.open('/a'), volume.open('/a')];
    const [kept, lost] = [file.map({ length: 4096 }), file.map()];
    const pin = file.pin(kept);
    file.close();
    expect([kept.length, lost.length]).toEqual([4096, 0]);
    expect(other.map({ length: 4096 })).toBe(kept);
    pin.release();
    expect(kept.length).toBe(4096); // the other handle's
    other.close();
    expect(kept.length).toBe(0);
  });

  it('does not hold back what takes the memory away', () => {
    const { machine, volume } = openVolume();
    const file = volume.open('/a');
    const view = file.map();
    const pin = file.pin(view);
    machine.disable('dax0.0', { force: true });
    expect(view.length).toBe(0);
    pin.release();
    volume.close();
  });

  it('is refused for what is no live view of the file: EINVAL', () => {
    const { volume } = openVolume();
    const [file, other] = [volume.open('/a'), volume.open('/a')];
    const view = other.map();
    for (const wrong of [new Uint8Array(8), view, undefined, 'text', view.buffer]) {
      expect(errorOf(() => file.pin(wrong as Uint8Array)).code).toBe('EINVAL');
    }
    other.close();
    expect(errorOf(() => other.pin(view)).code).toBe('EBADF');
  });
});
