/**
 * libc/: the only place that makes system calls, and the errors that all folders above use.
 *
 * Purpose: bind the C library through koffi, turn every failure into a {@link DaxError} with its errno.
 * Invariants: addresses, offsets and sizes are `number`s; no call here keeps a reference to memory it was given.
 * Failure: ENOSYS when koffi or libc cannot be loaded (probed at the first call), else the call's own errno.
 */
export { addressLedger } from './address-ledger.js';
export * from './arguments.js';
export * from './child-programs.js';
export * from './descriptors.js';
export * from './errors.js';
export * from './files.js';
export * from './fuse-device.js';
export * from './held-by.js';
export * from './left-open.js';
export * from './lock-holders.js';
export * from './lock-patience.js';
export * from './lock-turns.js';
export * from './lock-wait.js';
export * from './memory.js';
export * from './neighbours.js';
export * from './own-files.js';
export { packageRoot } from './package-root.js';
export * from './persist.js';
export * from './recent-time.js';
export * from './record-files.js';
export * from './short-ascii.js';
export * from './sizes.js';
export * from './small-reader.js';
export * from './thread-interrupt.js';
export * from './u64.js';
