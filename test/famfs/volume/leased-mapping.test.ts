import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LeasedMapping, MAPPED_PIECE_BYTES } from '../../../src/famfs/volume/leased-mapping.js';
import { Pool } from './support.js';

/** How many parts of a file this process maps. */
function mappingsOf(file: string): number {
  return fs
    .readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.endsWith(file)).length;
}

describe('copying from a leased mapping', () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
  let directory: string;
  let file: string;
  let fd: number;

  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-lease-'));
    file = path.join(directory, 'source');
    fs.writeFileSync(file, bytes);
    fd = fs.openSync(file, 'r');
  });
  afterEach(() => {
    fs.closeSync(fd);
    fs.rmSync(directory, { recursive: true, force: true });
  });

  it('gives the bytes asked for, at any position of the piece that is loaded', async () => {
    const mapping = LeasedMapping.of(fd, bytes.length)!;
    const into = new Uint8Array(5000);
    expect(mapping.copy(into, 4321), 'nothing is loaded').toBe(false);
    await mapping.load(0, 65_536, bytes.length - 65_536);
    expect(mapping.copy(into, 4321)).toBe(true);
    expect(into).toEqual(bytes.subarray(4321, 9321));
    await mapping.load(65_536, bytes.length - 65_536, 0);
    expect(mapping.copy(into, bytes.length - 5000)).toBe(true);
    expect(into).toEqual(bytes.subarray(-5000));
    await mapping.end();
    expect(mapping.copy(into, 70_000)).toBe(false);
    expect(mappingsOf(file)).toBe(0);
  });

  it('maps one piece and the next, and nothing when it has ended, also when another piece was wanted', async () => {
    const mapping = LeasedMapping.of(fd, bytes.length)!;
    await mapping.load(0, 8192, 4096);
    expect(mappingsOf(file)).toBeGreaterThan(0);
    await mapping.load(16_384, 8192, 4096);
    const into = new Uint8Array(8192);
    expect(mapping.copy(into, 16_384)).toBe(true);
    expect(into).toEqual(bytes.subarray(16_384, 24_576));
    expect(mapping.copy(into, 0), 'its piece has gone, and so has the lease').toBe(false);
    expect(mapping.copy(into, 16_384)).toBe(false);
    await mapping.end();
    expect(mappingsOf(file)).toBe(0);
  });

  it('ends where a page cannot be loaded, and the copy goes on by read(2)', async () => {
    const mapping = LeasedMapping.of(fd, 3 * bytes.length)!;
    await mapping.load(0, 3 * bytes.length, 0);
    expect(mapping.copy(new Uint8Array(10), 0)).toBe(false);
    await mapping.end();
    expect(mappingsOf(file)).toBe(0);
  });

  it('is not to be had while somebody has the file open for writing', () => {
    const writer = fs.openSync(file, 'r+');
    expect(LeasedMapping.of(fd, bytes.length)).toBeNull();
    fs.closeSync(writer);
  });

  it('holds a truncation back, gives way at the next piece, and then it happens', async () => {
    const mapping = LeasedMapping.of(fd, bytes.length)!;
    await mapping.load(0, bytes.length, 0);
    const truncate = spawn('sh', ['-c', ': > "$0"', file], { stdio: 'ignore' });
    const ended = once(truncate, 'exit');
    const into = new Uint8Array(100);
    const deadline = performance.now() + 150_000;
    while (mapping.copy(into, 99_000)) {
      expect(fs.fstatSync(fd).size).toBe(bytes.length);
      expect(performance.now()).toBeLessThan(deadline);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await ended;
    expect(fs.fstatSync(fd).size).toBe(0);
  });

  it('brings a file of several pieces onto a volume whole', async () => {
    const pool = new Pool({ size: MAPPED_PIECE_BYTES + 64 * 2 ** 20 });
    const volume = pool.mount();
    const length = MAPPED_PIECE_BYTES + 12_345;
    fs.truncateSync(file, length);
    const marks = [0, MAPPED_PIECE_BYTES - 1, MAPPED_PIECE_BYTES, length - 1];
    const writer = fs.openSync(file, 'r+');
    for (const [i, at] of marks.entries()) fs.writeSync(writer, Uint8Array.of(i + 1), 0, 1, at);
    fs.closeSync(writer);
    await volume.copyIn(file, '/large');
    const copy = volume.open('/large').map();
    expect(copy.length).toBe(length);
    expect(marks.map((at) => copy[at])).toEqual([1, 2, 3, 4]);
    pool.close();
  });
});
