/**
 * The yield points: the places where the code of src/ does what other processes can see. src/ knows nothing of them. They wrap
 * the functions that all of src/ uses, before any of it is loaded (`node --import seams.js`):
 *   system calls of libc/ that lock (koffi's functions), and its cache-line instructions (libpmem)
 *   node:fs, for the files of a state directory: open to write, rename, write, cut, sync, remove, close of a descriptor with locks
 *   Atomics.store and Atomics.load of memory that is not a SharedArrayBuffer: fences, and the indices of logs and queues
 * A step is reported before it is done. Between two steps, no other process runs as far as the schedule is concerned.
 */
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';

export type StepKind = 'lock' | 'release' | 'load' | 'store' | 'fence' | 'file' | 'lines';

/** The lock that is requested. */
export interface LockRequest {
  fd: number;
  kind: 'shared' | 'exclusive';
  start: number;
  length: number;
}

type Native = (...args: unknown[]) => number;
interface Library {
  func(prototype: string): Native;
}
interface Koffi {
  load(name: string): Library;
  address(memory: ArrayBuffer): number | bigint;
  readonly default: { load(name: string): Library };
}

/** The listeners. With all undefined this file has no effect. */
export const seams: {
  /** Called before each step. */
  onStep: ((kind: StepKind, name: string) => void) | undefined;
  /** Called when another process has a lock that was requested without waiting. */
  onLockRefused: (() => void) | undefined;
  /** For mutants: returns true when this lock must seem to be granted. */
  isLockGranted: ((lock: LockRequest) => boolean) | undefined;
  /** Replaces libpmem: the cache-line instructions of a modelled host, and the mappings that contain their addresses. */
  lines: LineCalls | undefined;
} = { onStep: undefined, onLockRefused: undefined, isLockGranted: undefined, lines: undefined };

export interface LineCalls {
  mapped(address: number, length: number, fd: number, offset: number): void;
  unmapped(address: number): void;
  persist(address: number, length: number): void;
  flush(address: number, length: number): void;
}

const F_OFD_SETLK = 37;
const FLOCK_BYTES = 32;
const F_UNLCK = 2;
const kinds = ['shared', 'exclusive'] as const;
const withLocks = new Set<number>();

const step = (kind: StepKind, name: string): void => seams.onStep?.(kind, name);

const koffi = createRequire(import.meta.url)('koffi') as Koffi;
const loadLibrary = koffi.load.bind(koffi);
const copyNative = loadLibrary('libc.so.6').func('intptr_t memcpy(intptr_t to, intptr_t from, size_t bytes)');
const flock = new ArrayBuffer(FLOCK_BYTES);
const flockWords = new Uint32Array(flock);
const flockAddress = Number(koffi.address(flock));

// libc/ loads koffi's compiled part, which is `default` here, or koffi.
koffi.load = koffi.default.load = (name) => {
  if (name === 'libpmem.so.1' && seams.lines) return lineLibrary(seams.lines);
  const library = loadLibrary(name);
  return { func: (prototype) => aroundNative(prototype, library.func(prototype)) };
};

function aroundNative(prototype: string, call: Native): Native {
  if (prototype.startsWith('int fcntl(int fd, int command, intptr_t')) return aroundLocks(call);
  if (prototype.startsWith('intptr_t mmap(')) {
    return (...args) => {
      const address = call(...args);
      if (address !== -1) seams.lines?.mapped(address, Number(args[1]), Number(args[4]), Number(args[5]));
      return address;
    };
  }
  if (prototype.startsWith('int munmap(')) {
    return (...args) => {
      seams.lines?.unmapped(Number(args[0]));
      return call(...args);
    };
  }
  return call;
}

function aroundLocks(call: Native): Native {
  return (...args) => {
    const [fd, command, argument] = args as [number, number, number];
    if (command !== F_OFD_SETLK) return call(...args);
    copyNative(flockAddress, argument, FLOCK_BYTES);
    const type = flockWords[0]! & 0xffff;
    const start = flockWords[3]! * 2 ** 32 + flockWords[2]!;
    const length = flockWords[5]! * 2 ** 32 + flockWords[4]!;
    if (type === F_UNLCK) {
      step('release', `unlock ${placeOf(start, length)}`);
      return call(...args);
    }
    const lock = { fd, kind: kinds[type]!, start, length };
    step('lock', `lock ${placeOf(start, length)}`);
    if (seams.isLockGranted?.(lock)) return 0;
    const answer = call(...args);
    // Only these calls may run between the system call and the reading of its errno.
    if (answer === 0) withLocks.add(fd);
    else seams.onLockRefused?.();
    return answer;
  };
}

/** The names of the ranges that udax locks (range-locks.ts, use-lock.ts). */
function placeOf(start: number, length: number): string {
  if (start >= 2 ** 62) return 'device';
  if (start >= 2 ** 61) return 'memory';
  if (start >= 2 ** 52) return 'name';
  if (start === 2 ** 21 && length === 48) return 'log';
  return start === 0 && length === 0 ? 'file' : `bytes ${start}`;
}

function lineLibrary(lines: LineCalls): Library {
  const calls: Record<string, Native> = {
    pmem_persist: (address, length) => {
      step('lines', 'persist');
      lines.persist(Number(address), Number(length));
      return 0;
    },
    pmem_flush: (address, length) => {
      step('lines', 'drop lines');
      lines.flush(Number(address), Number(length));
      return 0;
    },
    pmem_drain: () => 0,
  };
  return { func: (prototype) => calls[/(\w+)\(/.exec(prototype)![1]!]! };
}

/** The original functions, for the tools' own pipes and files. */
export const plainFs = {
  openSync: fs.openSync,
  closeSync: fs.closeSync,
  readSync: fs.readSync,
  writeSync: fs.writeSync,
  fstatSync: fs.fstatSync,
};

const { O_WRONLY, O_RDWR, O_CREAT } = fs.constants;

function opensToWrite(flags: unknown): boolean {
  if (typeof flags === 'number') return (flags & (O_WRONLY | O_RDWR | O_CREAT)) !== 0;
  return typeof flags === 'string' && flags !== 'r';
}

type AnyFunction = (...args: never[]) => unknown;
const fsNow = fs as unknown as Record<string, AnyFunction>;

function around(name: string, told: (args: unknown[]) => [StepKind, string] | undefined): void {
  const original = fsNow[name]! as (...args: unknown[]) => unknown;
  fsNow[name] = ((...args: unknown[]) => {
    const what = told(args);
    if (what) step(...what);
    return original(...args);
  }) as AnyFunction;
}

const nameIn = (path: unknown): string =>
  String(path)
    .split('/')
    .at(-1)!
    .replace(/[\d-]{4,}.*/, '#');
around('openSync', ([path, flags]) =>
  opensToWrite(flags) && !String(path).startsWith('/proc/') ? ['file', `open ${nameIn(path)}`] : undefined,
);
around('renameSync', ([, to]) => ['file', `rename to ${nameIn(to)}`]);
around('writeSync', () => ['file', 'write']);
around('ftruncateSync', () => ['file', 'cut']);
around('fsyncSync', () => ['file', 'sync']);
around('rmSync', ([path]) => ['file', `remove ${nameIn(path)}`]);
around('unlinkSync', ([path]) => ['file', `remove ${nameIn(path)}`]);
around('closeSync', ([fd]) => (withLocks.delete(Number(fd)) ? ['release', 'close locks'] : undefined));
around('readdirSync', ([path]) => (nameIn(path) === 'holders' ? ['load', 'list holders'] : undefined));
syncBuiltinESMExports();

const { store, load } = Atomics;
type Words = Int32Array | Uint32Array;
const isOurs = (words: unknown): words is Words =>
  (words instanceof Uint32Array || words instanceof Int32Array) &&
  !(words.buffer instanceof SharedArrayBuffer);

Atomics.store = ((words: never, index: number, value: never) => {
  if (isOurs(words)) {
    const isFence = (words as Words).length === 1;
    step(isFence ? 'fence' : 'store', isFence ? 'fence' : `store word ${index}`);
  }
  return store(words, index, value);
}) as typeof Atomics.store;
Atomics.load = ((words: never, index: number) => {
  if (isOurs(words)) step('load', `load word ${index}`);
  return load(words, index);
}) as typeof Atomics.load;
