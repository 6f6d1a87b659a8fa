/** Routes every call that `src/` makes through the injector. Must run before the first call. */
import childProcess from 'node:child_process';
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import Module, { createRequire, syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import workerThreads from 'node:worker_threads';
import { interposeCalls, type NativeFunction } from '../../src/libc/load.js';
import { injector } from './injector.js';

/** The codes with which each call of node:fs can fail. */
const FS_CODES: Record<string, readonly string[]> = {
  openSync: ['EMFILE', 'EACCES', 'EIO', 'ENOSPC'],
  closeSync: ['EIO'],
  readFileSync: ['EIO', 'EMFILE', 'EACCES'],
  writeFileSync: ['ENOSPC', 'EIO', 'PARTIAL'],
  readSync: ['EIO', 'EINTR', 'SHORT'],
  writeSync: ['ENOSPC', 'EIO', 'SHORT'],
  writevSync: ['ENOSPC', 'EIO'],
  statSync: ['EACCES', 'EIO'],
  lstatSync: ['EACCES', 'EIO'],
  fstatSync: ['EIO'],
  statfsSync: ['EIO'],
  rmSync: ['EACCES', 'EIO'],
  unlinkSync: ['EACCES', 'EIO'],
  rmdirSync: ['EACCES', 'EIO'],
  existsSync: ['EACCES'],
  renameSync: ['EIO', 'ENOSPC', 'EACCES'],
  linkSync: ['ENOSPC', 'EPERM'],
  symlinkSync: ['ENOSPC'],
  realpathSync: ['EACCES', 'EIO'],
  readdirSync: ['EMFILE', 'EIO', 'EACCES'],
  opendirSync: ['EMFILE'],
  readlinkSync: ['EACCES', 'EIO'],
  mkdirSync: ['ENOSPC', 'EACCES', 'EIO'],
  mkdtempSync: ['ENOSPC'],
  ftruncateSync: ['EIO', 'ENOSPC'],
  fsyncSync: ['EIO', 'ENOSPC'],
  accessSync: ['EACCES', 'EIO'],
  fchmodSync: ['EPERM', 'EIO'],
  lchownSync: ['EPERM'],
  fchownSync: ['EPERM'],
  futimesSync: ['EPERM'],
  open: ['EMFILE', 'EACCES', 'EIO'],
  close: ['EIO'],
  read: ['EIO'],
  write: ['ENOSPC', 'EIO'],
  fstat: ['EIO'],
};

/** The codes with which each C function can fail. All of these functions return -1 on failure. */
const C_CODES: Record<string, readonly string[]> = {
  mmap: ['ENOMEM', 'EACCES', 'EAGAIN'],
  munmap: ['ENOMEM'],
  madvise: ['ENOMEM', 'EAGAIN', 'EIO'],
  msync: ['EIO', 'ENOMEM'],
  mprotect: ['ENOMEM'],
  fallocate: ['ENOSPC', 'EINTR', 'EIO', 'EFBIG'],
  fcntl: ['ENOLCK', 'EINTR'],
  lseek: ['EIO'],
  fstatfs: ['EIO', 'EINTR'],
  ftruncate: ['EIO', 'ENOSPC'],
  statx: ['EIO', 'ENOMEM'],
  memfd_create: ['EMFILE', 'ENOMEM', 'ENFILE'],
  close: ['EIO'],
  mount: ['EPERM', 'ENOMEM', 'ENODEV'],
  umount2: ['EPERM', 'ENOMEM', 'EBUSY'],
  socketpair: ['EMFILE'],
  recvmsg: ['ENOMEM', 'EINTR'],
  // Its target is open, so it needs no descriptor. It may lie above a limit that was lowered.
  dup3: ['EBADF'],
  mknod: ['EPERM', 'ENOSPC'],
  sigaction: ['EINVAL'],
};

const F_OFD_SETLK = 37;
const F_OFD_SETLKW = 38;
const F_UNLCK = 2;
const PARTLY_DONE = new Set(['closeSync', 'close']);
const MESSAGES: Record<string, string> = {
  EIO: 'i/o error',
  ENOSPC: 'no space left on device',
  EMFILE: 'too many open files',
};

function systemError(code: string, syscall: string, path: unknown): NodeJS.ErrnoException {
  const where = typeof path === 'string' ? ` '${path}'` : '';
  const error: NodeJS.ErrnoException = new Error(
    `${code}: ${MESSAGES[code] ?? 'refused'}, ${syscall}${where}`,
  );
  error.code = code;
  error.errno = -(constants.errno as Record<string, number>)[code]!;
  error.syscall = syscall;
  if (typeof path === 'string') error.path = path;
  return error;
}

/** What /proc says of other processes: as many steps as there are processes. */
const OTHERS = /^\/proc\/\d+\//;

type Call = (...args: unknown[]) => unknown;
const real: Record<string, Call> = {};

/** A read or write that transfers only half of what was asked for. */
function shorter(name: string, args: unknown[]): unknown {
  const [fd, bytes, offset, length, position] = args as [number, Uint8Array, number, number, number];
  if (!ArrayBuffer.isView(bytes) || typeof length !== 'number' || length < 2) return real[name]!(...args);
  return real[name]!(fd, bytes, offset, length >> 1, position);
}

function patchedSync(name: string, codes: readonly string[]): Call {
  const call = real[name]!;
  const syscall = name.replace(/Sync$/, '');
  return (...args) => {
    const code = OTHERS.test(String(args[0])) ? undefined : injector.next(name, codes);
    return injector.within(() => {
      if (code === undefined) return call(...args);
      if (name === 'existsSync') return false;
      if (code === 'SHORT') return shorter(name, args);
      if (code === 'PARTIAL') {
        call(args[0], String(args[1]).slice(0, String(args[1]).length >> 1), args[2]);
        throw systemError('ENOSPC', 'write', undefined);
      }
      if (PARTLY_DONE.has(name)) call(...args);
      throw systemError(code, syscall, args[0]);
    });
  };
}

function patchedAsync(name: string, codes: readonly string[]): Call {
  const call = real[name]!;
  return (...args) => {
    const done = args.at(-1);
    const code = injector.next(name, codes);
    if (code === undefined || typeof done !== 'function') return call(...args);
    if (PARTLY_DONE.has(name))
      return call(...args.slice(0, -1), () => done(systemError(code, name, undefined)));
    process.nextTick(() => done(systemError(code, name, args[0])));
    return undefined;
  };
}

function patchFs(): void {
  const target = fs as unknown as Record<string, Call>;
  for (const [name, codes] of Object.entries(FS_CODES)) {
    if (typeof target[name] !== 'function') continue;
    real[name] = target[name];
    const patched = name.endsWith('Sync') ? patchedSync(name, codes) : patchedAsync(name, codes);
    target[name] = Object.assign(patched, target[name]);
  }
}

const SMALLEST_ALLOCATION = 4096;

/** Lets `new T(n)` fail for large n. */
function patchAllocations(): void {
  const global = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;
  for (const name of ['ArrayBuffer', 'Uint8Array', 'BigUint64Array'] as const) {
    global[name] = new Proxy(global[name]!, {
      construct(target, args, newTarget) {
        const isLarge = typeof args[0] === 'number' && args[0] >= SMALLEST_ALLOCATION;
        if (isLarge && injector.next(`new ${name}`, ['ENOMEM']))
          throw new RangeError('Array buffer allocation failed');
        return Reflect.construct(target, args, newTarget) as object;
      },
    });
  }
  for (const name of ['alloc', 'allocUnsafe'] as const) {
    const call = Buffer[name];
    Buffer[name] = ((size: number, ...rest: []) => {
      if (size >= SMALLEST_ALLOCATION && injector.next(`Buffer.${name}`, ['ENOMEM']))
        throw new RangeError('Array buffer allocation failed');
      return call.call(Buffer, size, ...rest);
    }) as never;
  }
}

function patchPrograms(): void {
  const { spawnSync } = childProcess;
  childProcess.spawnSync = ((...args: Parameters<typeof spawnSync>) => {
    const code = injector.next('spawnSync', ['EAGAIN', 'ENOMEM']);
    if (code === undefined) return spawnSync(...args);
    return {
      pid: 0,
      status: null,
      signal: null,
      stdout: '',
      stderr: '',
      output: [],
      error: systemError(code, 'spawnSync', undefined),
    };
  }) as never;
  const { spawn } = childProcess;
  // Node reports most failures to start a program by an event, on a child without streams.
  childProcess.spawn = ((...args: Parameters<typeof spawn>) => {
    const code = injector.next('spawn', ['EAGAIN', 'EMFILE']);
    if (code === undefined) return spawn(...args);
    const child = new EventEmitter();
    process.nextTick(() => child.emit('error', systemError(code, 'spawn', args[0])));
    return child;
  }) as never;
  const { Worker } = workerThreads;
  workerThreads.Worker = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      if (injector.next('new Worker', ['EAGAIN'])) {
        const error = new Error('Worker initialization failure: EAGAIN');
        throw Object.assign(error, { code: 'ERR_WORKER_INIT_FAILED' });
      }
      super(...args);
    }
  };
}

function patchCalls(): void {
  const koffi = createRequire(import.meta.url)('koffi') as {
    errno(value: number): number;
    decode(address: bigint, type: string): number;
  };
  /** Releasing a lock cannot fail (struct flock, l_type at offset 0). */
  const isUnlock = ([, command, address]: unknown[]) =>
    (command === F_OFD_SETLK || command === F_OFD_SETLKW) &&
    koffi.decode(BigInt(address as number), 'int16') === F_UNLCK;
  const errnos = constants.errno as Record<string, number>;
  interposeCalls((prototype: string, call: NativeFunction): NativeFunction => {
    const name = /(\w+)\(/.exec(prototype)![1]!;
    const codes = C_CODES[name];
    if (codes === undefined) return call;
    const patched: NativeFunction = (...args) => {
      if (name === 'fcntl' && isUnlock(args)) return call(...args);
      const code = injector.next(`${name}()`, codes);
      if (code === undefined) return call(...args);
      if (name === 'close') call(...args);
      koffi.errno(errnos[code]!);
      return -1;
    };
    const onThread = (call as unknown as { async: Call }).async;
    return Object.assign(patched, {
      async: (...args: unknown[]) => {
        const code = injector.next(`${name}() on another thread`, codes);
        if (code === undefined) return onThread(...args);
        return setImmediate(() => {
          koffi.errno(errnos[code]!);
          (args.at(-1) as Call)(null, -1);
        });
      },
    });
  });
}

/** What Node's own loader calls is no step of ours. */
function exceptLoader(): void {
  const { require } = Module.prototype;
  Module.prototype.require = function (this: unknown, id: string) {
    return injector.within(() => require.call(this, id) as unknown);
  } as never;
}

export function patchAll(): void {
  exceptLoader();
  patchFs();
  patchPrograms();
  syncBuiltinESMExports();
  patchAllocations();
  patchCalls();
}
