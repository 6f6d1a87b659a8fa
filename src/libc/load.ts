import { createRequire } from 'node:module';
import { asDaxError, DaxError, hasCode } from './errors.js';
import { guardExit } from './exit-guard.js';

type Koffi = typeof import('koffi').default;
export type NativeFunction = (...args: unknown[]) => number;

let koffi: Koffi | undefined;
let library: ReturnType<Koffi['load']> | undefined;

/**
 * Loads koffi and the C library once, at the first system call, and makes one test call of getpid(2).
 * @throws DaxError ENOSYS when the platform is not Linux, koffi or libc cannot be loaded, or the test call answers wrong
 */
export function native(): { koffi: Koffi; libc: ReturnType<Koffi['load']> } {
  if (koffi && library) return { koffi, libc: library };
  if (process.platform !== 'linux') {
    throw new DaxError(
      'ENOSYS',
      `udax runs on Linux only (this is ${process.platform}): use a Linux host, VM or container`,
    );
  }
  try {
    koffi = loadKoffi();
  } catch (cause) {
    if (hasCode(cause, 'EMFILE', 'ENFILE', 'EACCES'))
      throw asDaxError(cause, 'loading koffi, which makes our system calls');
    throw new DaxError(
      'ENOSYS',
      `koffi, which makes our system calls, did not load (${(cause as Error).message.split('\n')[0]}): reinstall udax with its optional dependencies`,
      { cause },
    );
  }
  library = loadLibc(koffi);
  const getpid = library.func('int getpid()') as NativeFunction;
  if (getpid() !== process.pid) {
    throw new DaxError(
      'ENOSYS',
      'koffi loaded but a test call of getpid(2) answered wrong: reinstall udax on this machine',
    );
  }
  guardExit(library.func('int dup2(int from, int to)') as NativeFunction);
  return { koffi, libc: library };
}

/**
 * Loads koffi's compiled part alone, from where its package for this platform has it: koffi's own search for it takes five times as long
 * as loading it, at every start of a process. Where that is not to be had (musl, another layout), koffi finds it.
 */
function loadKoffi(): Koffi {
  const require = createRequire(import.meta.url);
  const { arch } = process;
  try {
    const { resolve } = createRequire(require.resolve('koffi'));
    return require(resolve(`@koromix/koffi-linux-${arch}/linux_${arch}/koffi.node`)) as Koffi;
  } catch {
    return require('koffi') as Koffi;
  }
}

function loadLibc(loader: Koffi): ReturnType<Koffi['load']> {
  let cause: unknown;
  for (const name of ['libc.so.6', `libc.musl-${process.arch === 'x64' ? 'x86_64' : 'aarch64'}.so.1`]) {
    try {
      return loader.load(name);
    } catch (error) {
      cause = error;
    }
  }
  throw new DaxError(
    'ENOSYS',
    'no C library found (tried libc.so.6 and musl): is this a common Linux system?',
    { cause },
  );
}

let interposer: ((prototype: string, call: NativeFunction) => NativeFunction) | undefined;

/**
 * Sets a function that gets each C function when it is bound, and returns the function to call in its place. It must be set
 * before the first call. For proof/faults, which makes calls fail. Without one, C functions are called directly.
 */
export function interposeCalls(by: typeof interposer): void {
  interposer = by;
}

/** Declares a C function. */
export function bindCall(prototype: string): NativeFunction {
  const call = native().libc.func(prototype) as NativeFunction;
  return interposer === undefined ? call : interposer(prototype, call);
}

/** A C function that is bound at its first call. A call costs about 200 ns, most of it in the kernel. */
export function lazy(prototype: string): NativeFunction {
  let bound: NativeFunction | undefined;
  return (...args) => {
    bound ??= bindCall(prototype);
    return bound(...args);
  };
}

/** What a C function on another thread returned, and its errno: that of this thread is another's a moment later. */
interface Returned {
  readonly result: number;
  readonly errno: number;
}

/** A C function that runs on another thread of libuv's pool, bound at its first call. */
export function lazyLater(prototype: string): (...args: unknown[]) => Promise<Returned> {
  type Done = (error: unknown, result: number) => void;
  let bound: { async(...args: [...unknown[], Done]): void } | undefined;
  return (...args) =>
    new Promise((resolve, reject) => {
      bound ??= bindCall(prototype) as unknown as typeof bound;
      bound!.async(...args, (error: unknown, result: number) =>
        error ? reject(error as Error) : resolve({ result, errno: lastErrno() }),
      );
    });
}

/** The errno of the last call that failed on this thread. */
export function lastErrno(): number {
  return native().koffi.errno();
}
