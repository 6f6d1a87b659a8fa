import { constants } from 'node:os';
import { basename } from 'node:path';
import { types } from 'node:util';

/** Errno names udax answers with: every name of this host's errno table. */
export type ErrnoCode = keyof typeof constants.errno | 'EHWPOISON' | 'ENOTSUP' | 'EREMOTEIO';

const errnoByCode = new Map<string, number>([
  ...Object.entries(constants.errno),
  ['EHWPOISON', 133],
  ['EREMOTEIO', 121],
]);
const codeByErrno = new Map<number, string>();
for (const [code, number] of errnoByCode) if (!codeByErrno.has(number)) codeByErrno.set(number, code);
// Aliases of one number: the names people know.
codeByErrno.set(11, 'EAGAIN');
codeByErrno.set(95, 'EOPNOTSUPP');

/** The positive errno number of a code (`EBUSY` is 16). */
export function errnoOf(code: ErrnoCode): number {
  const number = errnoByCode.get(code);
  if (number === undefined) fail('EINVAL', `${String(code)} is no errno name of this host`);
  return number;
}

/** The code of a positive errno number (16 is `EBUSY`); unknown numbers give `EIO`. */
export function codeOf(errno: number): ErrnoCode {
  return (codeByErrno.get(errno) ?? 'EIO') as ErrnoCode;
}

/**
 * What helps against an error, as a stable key that programs may test; the message says the same in words. `udax` prints
 * the command for it. What the step is about is `hintPath`, or `path` where there is none.
 */
export type ErrorHint =
  /** `fsck(device)` tells what is wrong. */
  | 'fsck'
  /** There is no file system yet: `mkfs(device)` makes one. */
  | 'mkfs'
  /** `mkfs(device, { force: true })`: what is there is lost. */
  | 'mkfs-force'
  /** `mkfs(device, { kill: true, force: true })`: what is there is lost. */
  | 'mkfs-kill'
  /** Copy the files out, `mkfs(device, { force: true })`, copy them in: nothing on a famfs is freed or mended. */
  | 'mkfs-anew'
  /** The same, with a larger `logLength`. */
  | 'mkfs-longer-log'
  /** `mountFamfs(device, { salvage: true })`, copy out what is left, make the file system anew. */
  | 'salvage'
  /** `mountFamfs(device).superblock` names the owner. */
  | 'owner'
  /** `takeOver(device, { from })` */
  | 'take-over'
  /** `takeOver(device, { force: true })` */
  | 'take-over-force'
  /** `machine.reconfigure(device, 'famfs')` */
  | 'reconfigure-famfs'
  /** `machine.reconfigure(device, 'devdax')` */
  | 'reconfigure-devdax'
  /** `openKernel().reconfigure(device, 'devdax')` */
  | 'kernel-devdax'
  /** `openKernel().reconfigure(device, 'devdax', { force: true })` */
  | 'kernel-devdax-force'
  /** `openKernel().enable(device)` */
  | 'kernel-enable'
  /** A device of another machine is in the way: `openMachine(hintPath).disable(device)`. */
  | 'disable-there'
  /** `openMachine(root, { create: true })`, or `openVolume(root, { size })` */
  | 'make-machine'
  /** The state directory cannot be used: open the machine, or the kernel's bus, with another. */
  | 'other-root'
  /** `machine.createRegion({ backing, sparse: true })` */
  | 'sparse'
  /** A mount at `hintPath` is what is in the way: `mount.unmount()` there. */
  | 'umount'
  /** `mount.unmount({ whenBusy: 'abort' })` */
  | 'umount-force'
  /** `mountFamfsAt(device, directory, { settleMilliseconds })` with a longer time. */
  | 'settle'
  /** A directory is copied file by file. */
  | 'copy-tree'
  /** `createQueue(volume, path, { nbuckets, bucketSize })` */
  | 'make-queue';

export interface DaxErrorDetails {
  /** The system call or operation that failed, as Node names it. */
  syscall?: string;
  /** The file, device or volume path the failure is about. */
  path?: string;
  /** What helps. An error that says nothing of it has the hint of its cause. */
  hint?: ErrorHint;
  /** What the hint is about, where that is not `path`. */
  hintPath?: string;
  cause?: unknown;
}

/** On every DaxError, of whichever copy of the package. */
const BRAND = Symbol.for('udax.DaxError');

/** True for errors of every realm: a vm context, jsdom and a worker's messages have Error classes of their own. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/**
 * The one error class of udax. Same shape as Node's system errors: `code` is the errno name,
 * `errno` the negative number, `syscall` and `path` when known, `hint` a key for what helps. The message says what failed, why,
 * and what to do next; it does not repeat the code. `instanceof DaxError` holds for the errors of every copy of the package.
 */
export class DaxError extends Error {
  override readonly name = 'DaxError';
  readonly code: ErrnoCode;
  readonly errno: number;
  declare readonly syscall?: string;
  declare readonly path?: string;
  declare readonly hint?: ErrorHint;
  declare readonly hintPath?: string;

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a subclass inherits this method, and is asked for itself
    const { prototype } = this;
    if (typeof value !== 'object' || value === null) return false;
    return prototype === DaxError.prototype
      ? BRAND in value
      : Object.prototype.isPrototypeOf.call(prototype, value);
  }

  get [BRAND](): true {
    return true;
  }

  constructor(code: ErrnoCode, message: string, details: DaxErrorDetails = {}) {
    super(String(message), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.errno = -errnoOf(code);
    if (details.syscall !== undefined) this.syscall = details.syscall;
    if (details.path !== undefined) this.path = details.path;
    const { hint, hintPath } = details.hint === undefined ? hintOf(details.cause) : details;
    if (hint !== undefined) this.hint = hint;
    if (hintPath !== undefined) this.hintPath = hintPath;
  }
}

/** The hint of an error, if it has one, whole: an error built on it may be about another path. */
export function hintOf(error: unknown): { hint?: ErrorHint; hintPath?: string } {
  if (!(error instanceof DaxError) || error.hint === undefined) return {};
  const { hint, hintPath = error.path } = error;
  return hintPath === undefined ? { hint } : { hint, hintPath };
}

/** Throws a DaxError; as an expression it has type `never`. */
export function fail(code: ErrnoCode, message: string, details?: DaxErrorDetails): never {
  throw new DaxError(code, message, details);
}

/** True for any error (ours or Node's) that carries this errno code. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return isError(error) && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}

/** libuv has no names for some errnos (ESTALE): then the number tells. */
function nameOf(code: unknown, errno: unknown): string {
  return code === 'UNKNOWN' && typeof errno === 'number' ? codeOf(-errno) : String(code);
}

/** Turns one of Node's system errors into a DaxError that says what we were doing; others pass through. */
export function asDaxError(error: unknown, doing: string, path?: string, hint?: ErrorHint): unknown {
  if (error instanceof DaxError || !isError(error) || !('code' in error)) return error;
  const code = nameOf(error.code, 'errno' in error ? error.errno : undefined);
  if (!errnoByCode.has(code)) return error;
  const details: DaxErrorDetails = { cause: error };
  if ('syscall' in error) details.syscall = String(error.syscall);
  if (hint !== undefined) details.hint = hint;
  const where = path ?? ('path' in error ? String(error.path) : undefined);
  if (where !== undefined) details.path = where;
  const reason = /^[A-Z0-9]+: ([^,]+)/.exec(error.message)?.[1] ?? error.message;
  // What could not be opened is named, also where who asks only knows what it was for.
  const what = where === undefined || doing.includes(basename(where)) ? '' : `${where}: `;
  const next = code === 'EMFILE' ? ' (raise the limit: ulimit -n)' : '';
  return new DaxError(code as ErrnoCode, `${doing}: ${what}${reason}${next}`, details);
}

/**
 * Work that was aborted ends with one kind of error, whatever the signal was aborted with, as Node's own functions do: `name`
 * AbortError, `code` ABORT_ERR, and the signal's reason as its `cause`.
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

export function abortError(signal: AbortSignal): Error {
  return Object.assign(new Error('The operation was aborted', { cause: signal.reason }), {
    name: 'AbortError',
    code: 'ABORT_ERR',
  });
}

/** Runs what the public face offers: what leaves it with an errno is a DaxError that says what was asked for. */
export function withDaxErrors<T>(doing: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw asDaxError(error, `${doing} failed`);
  }
}
