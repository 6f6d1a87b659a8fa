/**
 * fuse/: the FUSE protocol, and sessions that serve file systems over it. It knows nothing of dax.
 *
 * Three layers. `protocol/`: pure functions of bytes (tables of operations, structs and flags; reader, encoders,
 * printer). `Dispatcher`: decodes a request, calls a FuseFileSystem, encodes the reply; it uses no descriptors.
 * The session: a mount, a worker with one loop over /dev/fuse, notifications, and the unmount.
 *
 * Invariants: a request is answered exactly once (FORGET, BATCH_FORGET, INTERRUPT: never). Requests are served one
 * after another in the order in which the kernel delivers them, so an INTERRUPT always finds its request answered.
 * An operation that a file system does not implement has no method, or was named by its init(); no method is overwritten.
 * A message that is short or malformed is answered with an error, and changes nothing.
 * Lifetime: file system made -> mount -> INIT -> requests -> mount gone (ENODEV) or stop -> destroy -> descriptors
 * closed (which aborts the rest of the connection) -> `closed` resolves. The main thread owns the descriptors.
 * The worker waits in read(2), where only a request or a signal reaches it. Everything else that must reach it (a message, a
 * stop, the exit of the process) goes through LoopWaker, which repeats its signal until the loop has answered.
 * Only the main thread sends notifications about cached pages and names, through libuv's pool. Sent from the worker, one could wait
 * for a page that the worker itself has to fill. Backings (serving/backings.ts) are the worker's own: nothing of a mapped file waits
 * for a request. A WRITE may be answered by the main thread (FuseHost.writeLater); every other answer is the worker's.
 * Failure: the caller gets the errno of a handler's DaxError. Any other exception is EIO and is reported. The worker's death
 * takes the mount down. A process killed with -9 leaves a dead mount (ENOTCONN), which the next mount there removes.
 */
export * from './device-numbers.js';
export * from './directory.js';
export * from './file-system.js';
export * from './handles.js';
export * from './inodes.js';
export * from './mount-table.js';
export { LATENCY_BOUNDS_SECONDS } from './operation-stats.js';
export { type ExtentMapProbe, probeExtentMaps } from './probe.js';
export type { OptionalOperation } from './protocol/operations.js';
export type { FuseBackings } from './serving/backings.js';
export * from './session.js';
export * from './session-types.js';
export * from './types.js';
export * from './unmount.js';
export { workerFile } from './worker-file.js';
