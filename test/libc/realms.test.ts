/**
 * Incident: values from another realm (a vm context, jsdom) or from a second copy of the package were not recognised: bytes were
 * refused, and errors lost their code. Right: a value's properties decide, not the realm of its constructor.
 */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createQueue,
  DaxError,
  mkfs,
  mountFamfs,
  openMachine,
  openQueue,
  type Volume,
} from '../../src/index.js';
import { asDaxError, hasCode } from '../../src/libc/index.js';

const checkout = resolve(import.meta.dirname, '../..');
let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'udax-realms-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function withVolume(use: (volume: Volume) => void): void {
  const machine = openMachine(join(directory, 'state'), { create: true });
  try {
    machine.createRegion({ size: '32MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    mkfs(machine.device('dax0.0'));
    const volume = mountFamfs(machine.device('dax0.0'));
    use(volume);
    volume.close();
  } finally {
    machine.close();
  }
}

describe('values of another realm', () => {
  const foreign = vm.createContext({ URL });

  it('are bytes to read, write and send', () => {
    const bytes = vm.runInContext('Uint8Array.from([1, 2, 3, 4])', foreign) as Uint8Array;
    expect(bytes).not.toBeInstanceOf(Uint8Array);
    withVolume((volume) => {
      const file = volume.create('/a', { size: 4096 });
      expect(file.write(bytes, 0)).toBe(4);
      const into = vm.runInContext('new Uint8Array(4)', foreign) as Uint8Array;
      expect(file.read(into, 0)).toBe(4);
      expect(Array.from(into)).toEqual([1, 2, 3, 4]);
      createQueue(volume, '/q', { nbuckets: 4, bucketSize: 64 });
      const queue = openQueue(volume, '/q', { role: 'both' });
      expect(queue.tryPut(bytes)).toBe(true);
      expect(Array.from(queue.tryGet()!.subarray(0, 4))).toEqual([1, 2, 3, 4]);
      queue.close();
    });
  });

  it('are paths: bytes, and URLs by what they say', () => {
    withVolume((volume) => {
      volume.mkdir('/d');
      const bytes = vm.runInContext('Uint8Array.from([47, 100])', foreign) as Uint8Array;
      expect(volume.fs.statSync(bytes as Buffer).isDirectory()).toBe(true);
      const url = { href: 'file:///d', protocol: 'file:' } as URL;
      expect(volume.fs.statSync(url).isDirectory()).toBe(true);
    });
  });

  it('are errors with their codes', () => {
    const error = vm.runInContext(
      "Object.assign(new Error('ENOENT: gone, open'), { code: 'ENOENT' })",
      foreign,
    );
    expect(error).not.toBeInstanceOf(Error);
    expect(hasCode(error, 'ENOENT')).toBe(true);
    expect(asDaxError(error, 'reading')).toMatchObject({ name: 'DaxError', code: 'ENOENT' });
  });
});

describe('a second copy of the package', () => {
  it('throws errors that the first recognises, and the other way round', async () => {
    // Without the source maps, whose paths are wrong there.
    cpSync(join(checkout, 'dist'), join(directory, 'dist'), {
      recursive: true,
      filter: (path) => !path.endsWith('.map'),
    });
    cpSync(join(checkout, 'package.json'), join(directory, 'package.json'));
    symlinkSync(join(checkout, 'node_modules'), join(directory, 'node_modules'));
    const other = (await import(pathToFileURL(join(directory, 'dist/index.js')).href)) as {
      DaxError: typeof DaxError;
      parseSize(text: string): number;
    };
    expect(other.DaxError).not.toBe(DaxError);
    let thrown: unknown;
    try {
      other.parseSize('many');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(DaxError);
    expect(asDaxError(thrown, 'parsing')).toBe(thrown);
    expect(new DaxError('EIO', 'ours')).toBeInstanceOf(other.DaxError);
    expect(Object.assign(new Error('no'), { code: 'EIO' })).not.toBeInstanceOf(DaxError);
    class Special extends DaxError {}
    expect(new DaxError('EIO', 'plain')).not.toBeInstanceOf(Special);
    expect(new Special('EIO', 'special')).toBeInstanceOf(Special);
  });
});
