/**
 * fuse/: the FUSE protocol, and sessions that serve file systems by it. Knows nothing of dax.
 *
 * Three rings. `protocol/`: pure functions of bytes (tables of operations, structs and flags; reader, writer,
 * printer). `Dispatcher`: one request's bytes in, a FuseFileSystem asked, one reply's pieces out; no descriptors.
 * The session: a mount, a worker with one loop over /dev/fuse, notifications and the way down.
 *
 * Invariants: a request is answered exactly once (FORGET, BATCH_FORGET, INTERRUPT: never); requests are served one
 * after another in the order the kernel hands them out, so an INTERRUPT always finds its request answered;
 * what a file system does not implement has no method, or is what its init() returned: the connection tells, no method is overwritten;
 * a message that is short or malformed is answered with an error, and touches nothing.
 * Lifetime: file system made -> mount -> INIT -> requests -> mount gone (ENODEV) or stop -> destroy -> descriptors
 * closed (which aborts what is left of the connection) -> `closed` resolves. The main thread owns the descriptors.
 * The worker waits in read(2), where nothing but a request or a signal reaches it: whoever wants something else of it (a
 * message, the end, the exit of the process) goes through LoopWaker, which repeats its signal until the loop has answered.
 * Notifications leave from the main thread only: sent from the worker they could wait for a page that the
 * worker itself has to fill.
 * Failure: a handler's DaxError is its caller's errno; another exception is EIO and reported; the worker's death takes
 * the mount down; a process killed with -9 leaves a dead mount (ENOTCONN), which the next mount there removes.
 */
export * from './device-numbers.js';
export * from './directory.js';
export * from './file-system.js';
export * from './handles.js';
export * from './inodes.js';
export * from './mount-table.js';
export type { OptionalOperation } from './protocol/operations.js';
export * from './session.js';
export * from './session-types.js';
export * from './types.js';
export * from './unmount.js';
export { workerFile } from './worker-file.js';
