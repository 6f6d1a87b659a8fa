import { DaxError } from './errors.js';
import { type NativeFunction, native } from './load.js';

const NO_CLWB = 'PMEM_NO_CLWB';

interface CacheCalls {
  persist: NativeFunction;
  flush: NativeFunction;
  drain: NativeFunction;
}

let calls: CacheCalls | null | undefined;

/**
 * True when stores to persistent memory can be flushed out of the processor's caches. Neither JavaScript nor libc has the
 * instructions; libpmem.so.1 does. It is looked for once, at the first call.
 */
export function canPersistMemory(): boolean {
  return cacheCalls() !== null;
}

/**
 * pmem_persist(3): flushes the cache lines of a range of pmem and waits until they are persistent.
 * @throws DaxError EOPNOTSUPP when libpmem.so.1 cannot be loaded
 */
export function persistMemory(address: number, length: number): void {
  mustHave(cacheCalls()).persist(address, length);
}

/**
 * Writes the cache lines of a range back and drops them, so that the next load sees what another host stored.
 * @throws DaxError EOPNOTSUPP when libpmem.so.1 cannot be loaded
 */
export function dropCacheLines(address: number, length: number): void {
  const { flush, drain } = mustHave(cacheCalls());
  flush(address, length);
  drain();
}

function mustHave(found: CacheCalls | null): CacheCalls {
  if (found !== null) return found;
  throw new DaxError(
    'EOPNOTSUPP',
    'CPU caches cannot be flushed without libpmem.so.1: install libpmem1 (Debian), or use memory whose users share caches',
  );
}

function cacheCalls(): CacheCalls | null {
  if (calls === undefined) calls = loadCalls();
  return calls;
}

function loadCalls(): CacheCalls | null {
  // CLWB may keep the line in the cache. Without it libpmem uses an older instruction, which drops the line as well.
  const before = process.env[NO_CLWB];
  process.env[NO_CLWB] = '1';
  try {
    const library = native().koffi.load('libpmem.so.1');
    const bind = (prototype: string) => library.func(prototype) as NativeFunction;
    return {
      persist: bind('void pmem_persist(intptr_t address, size_t length)'),
      flush: bind('void pmem_flush(intptr_t address, size_t length)'),
      drain: bind('void pmem_drain()'),
    };
  } catch {
    return null; // not installed: mustHave() says what to install
  } finally {
    if (before === undefined) delete process.env[NO_CLWB];
    else process.env[NO_CLWB] = before;
  }
}
