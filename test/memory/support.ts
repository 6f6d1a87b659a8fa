import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach } from 'vitest';
import { type Backing, memfdBacking, PhysicalMemory } from '../../src/memory/index.js';

export const MiB = 2 ** 20;
export const GiB = 2 ** 30;
export const PAGE = 4096;
/** Address of the tests' memory, as in an emulated machine. */
export const HPA = 2 ** 40;

const undo: (() => void)[] = [];
afterEach(() => {
  for (const act of undo.splice(0).reverse()) act();
});

/** Runs after the test, last registered first. */
export function afterwards(act: () => void): void {
  undo.push(act);
}

export function temporaryDirectory(under = os.tmpdir()): string {
  const directory = fs.mkdtempSync(path.join(under, 'udax-memory-'));
  afterwards(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function closedAfterwards<T extends { close(): void }>(resource: T): T {
  afterwards(() => resource.close());
  return resource;
}

let names = 0;

/** A memfd whose name no other test has, so that it can be found in /proc/self/maps. */
export function freshMemfd(size: number): Backing {
  return closedAfterwards(memfdBacking(`udax-test-${process.pid}-${names++}`, size));
}

/** One backing, wholly at HPA. */
export function memoryOver(backing: Backing): PhysicalMemory {
  const memory = closedAfterwards(new PhysicalMemory());
  memory.insert({ start: HPA, length: backing.size, backing, offset: 0 });
  return memory;
}

export function freshMemory(size: number): { memory: PhysicalMemory; backing: Backing } {
  const backing = freshMemfd(size);
  return { memory: memoryOver(backing), backing };
}

/** Mappings of this process with the name in them. */
export function mapsOf(backing: Backing): string[] {
  return fs
    .readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter((line) => line.includes(backing.name.replace(/^memfd:/, '')));
}

/** Whether a mapping of a file touches the addresses. After the end of a view anonymous zero pages lie there for a while. */
export function isMapped(address: number, length: number): boolean {
  return fs
    .readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter((line) => !/ 0 *$/.test(line))
    .some((line) => {
      const [from, to] = (line.split(' ')[0] ?? '').split('-').map((text) => Number.parseInt(text, 16));
      return from !== undefined && to !== undefined && from < address + length && address < to;
    });
}

const built = path.resolve(import.meta.dirname, '../../dist/memory/index.js');

/** Runs a module in a new process, with `memory` (the built layer) and `gc()` available. Returns what it printed. */
export function runChild(
  script: string,
  env: Record<string, string> = {},
): { stdout: string; stderr: string; status: number | null; signal: string | null } {
  const whole = `import * as memory from ${JSON.stringify(built)};\nimport fs from 'node:fs';\n${script}`;
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '-e', whole],
    { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 150_000 },
  );
  return { stdout, stderr, status, signal };
}

/** Code and message of the DaxError that a call throws. */
export function errorOf(act: () => unknown): { code: string | undefined; message: string } {
  try {
    act();
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return { code, message };
  }
  return { code: undefined, message: 'did not throw' };
}
