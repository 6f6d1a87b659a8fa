/** Models in a volume: real memory, mapped. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { npyHeader, writeGguf, writeNpy, writeSafetensors, writeZip } from '../../proof/fuzz/format-files.js';
import {
  openArrow,
  openGguf,
  openNpy,
  openNpz,
  openSafetensors,
  parseGguf,
  parseNpy,
  parseSafetensors,
} from '../../src/formats/index.js';
import { openMachine, openVolume, type Volume } from '../../src/index.js';
import { referenceBytes, referenceFolder, refused } from './support.js';

let directory: string;
let volume: Volume;
beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-formats-'));
  volume = openVolume(path.join(directory, 'pool'), { size: '64MiB' });
});
afterEach(() => {
  volume.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

const copyIn = (name: string) => volume.copyIn(path.join(referenceFolder, name), `/${name}`);

describe('a file of a volume', () => {
  it('is opened in each format; the views are the memory of the file', async () => {
    for (const name of ['all.safetensors', 'all.gguf', 'f4.npy', 'stored.npz', 'all.arrow'])
      await copyIn(name);
    const model = openSafetensors(volume, '/all.safetensors');
    const other = volume.open('/all.safetensors', { writable: true });
    const memory = other.map({ writable: true });
    const { data, byteOffset } = model.tensor('u8');
    expect(data[0]).toBe(0);
    memory[byteOffset] = 77;
    expect(data[0], 'a store of another handle is seen').toBe(77);
    expect(openGguf(volume, '/all.gguf').tensor('q8_0').type).toBe('Q8_0');
    expect(openNpy(volume, '/f4.npy').array.data[5]).toBe(1);
    expect([...openNpz(volume, '/stored.npz').tensors.keys()]).toEqual(['f4', 'fortran', 'bool', 'bytes']);
    expect(openArrow(volume, '/all.arrow').column('text')[0]!.text(0)).toBe('a');
  });

  it('is held open until close(); then the views are empty and data says why', async () => {
    await copyIn('all.safetensors');
    const model = openSafetensors(volume, '/all.safetensors');
    const { data } = model.tensor('f32');
    expect(data.length).toBe(12);
    model.close();
    model.close();
    expect(data.length).toBe(0);
    refused(() => model.tensor('f32').data, 'EBADF', /closed/);
    refused(() => model.tensor('i32').bytes, 'EBADF', /closed/);
    // One that is open at the same time has its own handle.
    const [one, two] = [
      openSafetensors(volume, '/all.safetensors'),
      openSafetensors(volume, '/all.safetensors'),
    ];
    const kept = two.tensor('f32').data;
    one.close();
    expect(kept.length).toBe(12);
  });

  it('can be pinned for native work, over close()', async () => {
    await copyIn('all.safetensors');
    const model = openSafetensors(volume, '/all.safetensors');
    const { data } = model.tensor('u8');
    const pin = model.file!.pin(data as unknown as Uint8Array);
    model.close();
    expect([...data]).toEqual([0, 1, 2, 3, 4]);
    pin.release();
    expect(data.length).toBe(0);
    expect(parseSafetensors(referenceBytes('all.safetensors')).file).toBeUndefined();
  });

  it('tells that its memory failed: the views are empty, and data says why', async () => {
    await copyIn('all.safetensors');
    const model = openSafetensors(volume, '/all.safetensors');
    const { data } = model.tensor('u8');
    const machine = openMachine(path.join(directory, 'pool'));
    const lost = new Promise<string>((resolve) => model.file!.onLost((error) => resolve(error.code)));
    machine.memoryFailure({ device: 'dax0.0', offset: model.file!.fmap.extents[0]!.offset });
    machine.close();
    refused(
      () => openSafetensors(volume, '/all.safetensors').tensor('u8').data[0],
      'EIO',
      /all\.safetensors/,
    );
    expect([await lost, data.length]).toEqual(['EIO', 0]);
    refused(() => model.tensor('u8').data, 'EIO', /all\.safetensors/);
  });

  it('that is of another format is closed again, and the error names it', async () => {
    await copyIn('all.gguf');
    refused(() => openSafetensors(volume, '/all.gguf'), 'EINVAL', /^\/all\.gguf is no safetensors file/);
    refused(() => openSafetensors(volume, '/none'), 'ENOENT', /none/);
  });

  it('keeps its order of bytes on a read-only volume', async () => {
    await copyIn('all.safetensors');
    volume.close();
    volume = openVolume(path.join(directory, 'pool'), { readOnly: true });
    expect(openSafetensors(volume, '/all.safetensors').tensor('i16').data[0]).toBe(-3);
  });
});

describe('a file over 4 GiB', () => {
  it('is mapped tensor by tensor, though map() takes 4 GiB at most', () => {
    const root = path.join(directory, 'big');
    const machine = openMachine(root, { create: true });
    machine.createRegion({ size: '6GiB', sparse: true });
    machine.reconfigure('dax0.0', 'famfs');
    machine.close();
    const big = openVolume(root, { size: '6GiB' });
    try {
      const [large, small] = [2 ** 32 - 2 ** 20, 2 ** 20];
      const header = JSON.stringify({
        large: { dtype: 'F32', shape: [large / 4], data_offsets: [0, large] },
        small: { dtype: 'F32', shape: [small / 4], data_offsets: [large, large + small] },
        last: { dtype: 'I64', shape: [1], data_offsets: [large + small, large + small + 8] },
      });
      const { bytes } = writeSafetensors(header, []);
      const file = big.create('/big', { size: bytes.length + large + small + 8, zero: false });
      file.write(bytes, 0);
      file.write(new Uint8Array(new BigInt64Array([42n]).buffer), file.size - 8);
      const model = openSafetensors(big, '/big');
      expect(model.tensor('last').data).toEqual(BigInt64Array.of(42n));
      expect([model.tensor('large').data.length, model.tensor('small').data.length]).toEqual([
        large / 4,
        small / 4,
      ]);
      model.close();
      refused(() => model.tensor('last').data, 'EBADF', /closed/);
    } finally {
      big.close();
    }
  });
});

describe('bytes of any kind', () => {
  const given = () => referenceBytes('f4.npy');

  it('ArrayBuffer, SharedArrayBuffer, Buffer, DataView: all are seen without a copy', () => {
    const bytes = given();
    const shared = new SharedArrayBuffer(bytes.length);
    new Uint8Array(shared).set(bytes);
    for (const each of [bytes.buffer, shared, Buffer.from(bytes.buffer), new DataView(bytes.buffer)]) {
      const { array } = parseNpy(each);
      expect(array.data).toHaveLength(6);
      expect(array.data.buffer).toBe('buffer' in each ? each.buffer : each);
    }
    const safetensors = referenceBytes('all.safetensors');
    const sharedModel = new SharedArrayBuffer(safetensors.length);
    new Uint8Array(sharedModel).set(safetensors);
    expect(parseSafetensors(sharedModel).tensor('u8').data).toHaveLength(5);
  });

  it('a buffer that was moved away is EBADF, not a crash', () => {
    const bytes = given();
    const { array } = parseNpy(bytes, { name: 'moved.npy' });
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    refused(() => array.data, 'EBADF', /moved\.npy has no bytes any more/);
  });

  it('misaligned tensors are an error, a copy when asked, and bytes always', () => {
    const odd = new Uint8Array(given().length + 1);
    odd.set(given(), 1);
    const view = odd.subarray(1);
    const { array } = parseNpy(view);
    expect([array.isCopy, array.bytes.buffer === odd.buffer]).toEqual([true, true]);
    refused(() => array.data, 'EINVAL', /byte 128.*no multiple of its 4 bytes.*allowCopy: true/);
    const copy = parseNpy(view, { allowCopy: true }).array;
    expect(copy.data).toEqual(parseNpy(given()).array.data);
    expect(copy.data, 'made once').toBe(copy.data);
    expect(copy.data.buffer).not.toBe(odd.buffer);
  });

  it('100,000 tensors cost their header only: no view is made before it is asked for', async () => {
    const tensors = Array.from({ length: 100_000 }, (_, i) => [
      `layer.${i}`,
      { dtype: 'U8', shape: [1], data_offsets: [i, i + 1] },
    ]);
    const { bytes } = writeSafetensors(JSON.stringify(Object.fromEntries(tensors)), [
      new Uint8Array(100_000),
    ]);
    const before = process.memoryUsage().arrayBuffers;
    const model = parseSafetensors(bytes);
    expect(model.tensors.size).toBe(100_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * bytes.length);
    expect(model.tensor('layer.99999').data).toHaveLength(1);
  });

  it('a value of GGUF that is larger than all others is stepped over, not looked at', () => {
    const list = Array.from({ length: 5000 }, (_, i) => [8, `word ${i}`.padEnd(400)] as const);
    const values = [['words', [9, list, 8]] as const, ['after', [4, 7]] as const];
    const { bytes } = writeGguf({ values, tensors: [] });
    expect(bytes.length).toBeGreaterThan(2 ** 20);
    const { metadata } = parseGguf(bytes);
    expect([metadata.get('after'), (metadata.get('words') as string[])[4999]!.trim()]).toEqual([
      7,
      'word 4999',
    ]);
  });

  it('an npz in a volume is seen where it lies', async () => {
    const npy = writeNpy(npyHeader("'|u1'", false, [3]), Uint8Array.of(1, 2, 3)).bytes;
    await volume.writeFile('/a.npz', writeZip([{ name: 'a.npy', bytes: npy }]).bytes);
    expect([...openNpz(volume, '/a.npz').tensor('a').bytes]).toEqual([1, 2, 3]);
  });
});
