import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Volume } from '../../../src/famfs/volume/index.js';
import { Tally } from '../../support/tally.js';
import { contentOf, Pool } from '../volume/support.js';

// Random changes are made to a volume and to a directory of the kernel (tmpfs where there is one). After each, the errno is the same,
// and the tree, as the host that changed it sees it, as a second host sees it that replays log and annex, and as C's rules allow.

type Step =
  | { do: 'mkdir' | 'unlink' | 'rmdir' | 'empty' | 'rm'; at: string }
  | { do: 'create'; at: string; size: number }
  | { do: 'rename' | 'link'; at: string; to: string }
  | { do: 'symlink'; at: string; target: string }
  | { do: 'truncate'; at: string; size: number }
  | { do: 'chmod'; at: string; mode: number }
  | { do: 'utimes'; at: string; seconds: number };

const LONG = 'n'.repeat(90);
const names = [
  'a',
  'b',
  'c',
  'd',
  'd/a',
  'd/b',
  'd/e',
  'd/e/f',
  'a/b',
  'c/d',
  LONG,
  `${LONG}/a`,
  `d/${LONG}`,
];
const at = fc.constantFrom(...names);
const size = fc.integer({ min: 1, max: 9000 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('mkdir', 'unlink', 'rmdir', 'empty', 'rm'), at }),
  fc.record({ do: fc.constantFrom('mkdir', 'unlink'), at }),
  fc.record({ do: fc.constant('create' as const), at, size }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rename' as const), at, to: at }) },
  fc.record({ do: fc.constant('link' as const), at, to: at }),
  fc.record({
    do: fc.constant('symlink' as const),
    at,
    target: fc.constantFrom('a', 'd', 'e/f', 'd/e', 'none'),
  }),
  fc.record({ do: fc.constant('truncate' as const), at, size: fc.integer({ min: 0, max: 9000 }) }),
  fc.record({ do: fc.constant('chmod' as const), at, mode: fc.constantFrom(0o600, 0o755, 0o4711) }),
  fc.record({ do: fc.constant('utimes' as const), at, seconds: fc.integer({ min: 0, max: 2 ** 31 }) }),
);

/** Runs begin with some of these, so that the changes find something. */
const first: readonly Step[] = [
  { do: 'mkdir', at: 'd' },
  { do: 'mkdir', at: 'c' },
  { do: 'create', at: 'a', size: 3000 },
  { do: 'mkdir', at: 'd/e' },
  { do: 'create', at: 'd/a', size: 5000 },
  { do: 'empty', at: 'b' },
  { do: 'mkdir', at: LONG },
  { do: 'symlink', at: 'd/b', target: 'a' },
  { do: 'link', at: 'a', to: 'd/hard' },
  { do: 'rm', at: 'a' },
  { do: 'rmdir', at: 'c' },
];
const run = fc
  .tuple(fc.subarray([...first], { minLength: 8 }), fc.array(step, { minLength: 8, maxLength: 25 }))
  .map(([before, steps]) => [...before, ...steps]);

/** The calls, on a volume or below a directory of the kernel. */
interface Face {
  mkdir(path: string): void;
  create(path: string, bytes: Uint8Array): void;
  unlink(path: string): void;
  rmdir(path: string): void;
  rm(path: string): void;
  rename(from: string, to: string): void;
  link(from: string, to: string): void;
  symlink(target: string, path: string): void;
  truncate(path: string, size: number): void;
  chmod(path: string, mode: number): void;
  utimes(path: string, seconds: number): void;
}

function kernelFace(root: string): Face {
  const full = (name: string) => path.join(root, name);
  return {
    mkdir: (name) => fs.mkdirSync(full(name)),
    create: (name, bytes) => fs.writeFileSync(full(name), bytes, { flag: 'wx' }),
    unlink: (name) => fs.unlinkSync(full(name)),
    rmdir: (name) => fs.rmdirSync(full(name)),
    rm: (name) => fs.rmSync(full(name), { recursive: true }),
    rename: (from, to) => fs.renameSync(full(from), full(to)),
    link: (from, to) => fs.linkSync(full(from), full(to)),
    symlink: (target, name) => fs.symlinkSync(target, full(name)),
    truncate: (name, bytes) => fs.truncateSync(full(name), bytes),
    chmod: (name, mode) => fs.chmodSync(full(name), mode),
    utimes: (name, seconds) => fs.utimesSync(full(name), seconds, seconds),
  };
}

function volumeFace(volume: Volume): Face {
  return {
    mkdir: (name) => volume.mkdir(name),
    create: (name, bytes) =>
      volume
        .create(name, {
          size: bytes.length,
          fill: (into, from) => into.set(bytes.subarray(from, from + into.length)),
        })
        .close(),
    unlink: (name) => volume.unlink(name),
    rmdir: (name) => volume.rmdir(name),
    rm: (name) => volume.rm(name, { recursive: true }),
    rename: (from, to) => volume.rename(from, to),
    link: (from, to) => volume.link(from, to),
    symlink: (target, name) => volume.symlink(target, name),
    truncate: (name, bytes) => volume.truncate(name, bytes),
    chmod: (name, mode) => volume.chmod(name, mode),
    utimes: (name, seconds) => volume.utimes(name, seconds * 1000, seconds * 1000),
  };
}

/** @returns the code of the error, or '' */
function act(face: Face, step: Step, seed: number): string {
  try {
    if (step.do === 'create' || step.do === 'empty') {
      const bytes = new Uint8Array('size' in step ? step.size : 0).fill(seed);
      face.create(step.at, bytes);
    } else if (step.do === 'rename') face.rename(step.at, step.to);
    else if (step.do === 'link') face.link(step.at, step.to);
    else if (step.do === 'symlink') face.symlink(step.target, step.at);
    else if (step.do === 'truncate') face.truncate(step.at, step.size);
    else if (step.do === 'chmod') face.chmod(step.at, step.mode);
    else if (step.do === 'utimes') face.utimes(step.at, step.seconds);
    else face[step.do](step.at);
    return '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

function kernelTree(root: string): string[] {
  const rows: string[] = [];
  const below = (relative: string): void => {
    for (const name of fs.readdirSync(path.join(root, relative)).sort()) {
      const here = relative === '' ? name : `${relative}/${name}`;
      const stat = fs.lstatSync(path.join(root, here));
      const what = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'file';
      const content = what === 'file' ? bytesText(fs.readFileSync(path.join(root, here))) : '';
      const target = what === 'symlink' ? fs.readlinkSync(path.join(root, here)) : '';
      rows.push(row(here, what, what === 'directory' ? 1 : stat.nlink, stat.mode & 0o7777, content, target));
      if (what === 'directory') below(here);
    }
  };
  below('');
  return rows.sort();
}

function volumeTree(volume: Volume): string[] {
  const rows: string[] = [];
  for (const { path: name, type, nlink, mode } of volume.walk()) {
    const content = type === 'file' ? bytesText(fileBytes(volume, name)) : '';
    const target = type === 'symlink' ? volume.readlink(name) : '';
    rows.push(row(name.slice(1), type, nlink, mode, content, target));
  }
  return rows.sort();
}

function timesOf(volume: Volume): string[] {
  return [...volume.walk()].map((stat) => `${stat.path} ${JSON.stringify(stat.times)}`);
}

function fileBytes(volume: Volume, name: string): Uint8Array {
  return volume.stat(name).size === 0 ? new Uint8Array(0) : contentOf(volume, name);
}

function bytesText(bytes: Uint8Array): string {
  return `${bytes.length} bytes, ${[bytes[0], bytes.at(-1)].join('..')}, sum ${bytes.reduce((sum, byte) => sum + byte, 0)}`;
}

function row(
  name: string,
  what: string,
  nlink: number,
  mode: number,
  content: string,
  target: string,
): string {
  return `${name} ${what} ${nlink} ${mode.toString(8)} ${content}${target}`;
}

const tally = new Tally();

/** Where the kernel would be slow or strict otherwise. */
const kernelDirectory = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();

it('a volume answers changes as the kernel does, and two hosts see the same tree after each', {
  timeout: 600_000,
}, async () => {
  const umask = process.umask(0o022);
  try {
    await fc.assert(
      fc.asyncProperty(run, async (steps) => {
        const pool = new Pool({ size: 192 * 2 ** 20 });
        const root = fs.mkdtempSync(path.join(kernelDirectory, 'udax-annex-'));
        try {
          const volume = pool.mount();
          const other = pool.mount({ role: 'client' });
          const faces = [kernelFace(root), volumeFace(volume)] as const;
          for (const [i, one] of steps.entries()) {
            const wanted = act(faces[0], one, i + 1);
            tally.count(one.do, wanted === '');
            expect([one, act(faces[1], one, i + 1)]).toEqual([one, wanted]);
            const tree = kernelTree(root);
            expect(volumeTree(volume)).toEqual(tree);
            other.refresh();
            expect(volumeTree(other)).toEqual(tree);
          }
          expect(other.problems).toEqual([]);
          expect(volumeTree(pool.mount())).toEqual(kernelTree(root));
          expect(pool.fsck()).toEqual([]);
          const times = timesOf(volume);
          const { changed } = await volume.rewrite();
          expect(volumeTree(volume)).toEqual(kernelTree(root));
          expect(timesOf(volume)).toEqual(times);
          expect(volume.statfs().reclaimable).toBe(0);
          expect((await volume.rewrite()).changed).toBe(false);
          if (changed) expect(() => other.refresh()).toThrow(expect.objectContaining({ code: 'ESTALE' }));
          expect(volumeTree(pool.mount())).toEqual(kernelTree(root));
          expect(pool.fsck()).toEqual([]);
        } finally {
          pool.close();
          fs.rmSync(root, { recursive: true, force: true });
        }
      }),
      { numRuns: 25 },
    );
  } finally {
    process.umask(umask);
  }
  tally.eachMustReach(0.02);
});
