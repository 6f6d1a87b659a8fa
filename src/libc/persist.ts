import { DaxError } from './errors.js';
import { type NativeFunction, native } from './load.js';

let persistNative: NativeFunction | null | undefined;

/**
 * Whether stores to persistent memory can be flushed out of the processor's caches. Neither JavaScript nor
 * libc has the instructions: libpmem.so.1 does, where it is installed. Looked for once, at the first question.
 */
export function canPersistMemory(): boolean {
  return persistFunction() !== null;
}

/**
 * pmem_persist(3): flushes the cache lines of a range of pmem and waits until they are safe.
 * @throws DaxError EOPNOTSUPP when libpmem.so.1 cannot be loaded
 */
export function persistMemory(address: number, length: number): void {
  const persist = persistFunction();
  if (persist === null) {
    throw new DaxError(
      'EOPNOTSUPP',
      "persistent memory cannot be flushed without libpmem.so.1: install libpmem1, or choose durability 'process'",
    );
  }
  persist(address, length);
}

function persistFunction(): NativeFunction | null {
  if (persistNative !== undefined) return persistNative;
  try {
    const library = native().koffi.load('libpmem.so.1');
    persistNative = library.func('void pmem_persist(intptr_t address, size_t length)') as NativeFunction;
  } catch {
    persistNative = null; // not installed: an answer, which persistMemory() turns into advice
  }
  return persistNative;
}
