import { constants } from 'node:os';
import { basename } from 'node:path';
import { types } from 'node:util';

/** Errno names that udax reports: those of Node's errno table on this host, and a few that the table may lack. */
export type ErrnoCode = keyof typeof constants.errno | 'EHWPOISON' | 'ENOTSUP' | 'EREMOTEIO';

const errnoByCode = new Map<string, number>([
  ...Object.entries(constants.errno),
  ['EHWPOISON', 133],
  ['EREMOTEIO', 121],
]);
const codeByErrno = new Map<number, string>();
for (const [code, number] of errnoByCode) if (!codeByErrno.has(number)) codeByErrno.set(number, code);
// These numbers have two names each: use the common one.
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
 * The next step that helps against an error: a stable key that programs may test. The message says the same in words, and
 * the `udax` command prints the matching command. The step is about `hintPath`, or about `path` where there is no `hintPath`.
 */
export type ErrorHint =
  /** `fsck(device)` reports what is wrong. */
  | 'fsck'
  /** There is no file system yet: `mkfs(device)` makes one. */
  | 'mkfs'
  /** `mkfs(device, { force: true })`: the data on the device is lost. */
  | 'mkfs-force'
  /** `mkfs(device, { kill: true, force: true })`: the data on the device is lost. */
  | 'mkfs-kill'
  /** Copy the files out, `mkfs(device, { force: true })`, copy them back in: famfs repairs nothing in place. */
  | 'mkfs-anew'
  /** As `mkfs-anew`, with a larger `logLength`. */
  | 'mkfs-longer-log'
  /** `mountFamfs(device, { salvage: true })`, copy out the files that are left, then make the file system anew. */
  | 'salvage'
  /** `mountFamfs(device).superblock` names the owner. */
  | 'owner'
  /** `takeOver(device, { from })` */
  | 'take-over'
  /** `takeOver(device, { force: true })` */
  | 'take-over-force'
  /** `volume.rewrite({ remove })`: space and log slots come back when files are removed at rest. */
  | 'rm'
  /** A rewrite was cut short: `mountFamfs(device)` on the host that owns it completes or removes it. */
  | 'complete-rewrite'
  /** Other hosts may use the memory: say `othersAreGone` once none does. */
  | 'others-are-gone'
  /** The directory has something in it: say `recursive` to remove all of that too. */
  | 'recursive'
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
  /** A device of another machine uses the memory: `openMachine(hintPath).disable(device)`. */
  | 'disable-there'
  /** `openMachine(root, { create: true })`, or `openVolume(root, { size })` */
  | 'make-machine'
  /** The state directory cannot be used: open the machine, or the kernel's bus, with another one. */
  | 'other-root'
  /** `machine.createRegion({ backing, sparse: true })` */
  | 'sparse'
  /** A mount at `hintPath` is in the way: call its `mount.unmount()`. */
  | 'umount'
  /** `mount.unmount({ whenBusy: 'abort' })` */
  | 'umount-force'
  /** `mountFamfsAt(device, directory, { settleMilliseconds })` with a longer time. */
  | 'settle'
  /** The source is a directory: copy it file by file. */
  | 'copy-tree'
  /** `createQueue(volume, path, { nbuckets, bucketSize })` */
  | 'make-queue';

/** What a DaxError is about, besides its code and message. */
export interface DaxErrorDetails {
  /** The system call or operation that failed, as Node names it. */
  syscall?: string;
  /** The file, device or volume path the failure is about. */
  path?: string;
  /** The step that helps. Without it, the error takes the hint of its cause. */
  hint?: ErrorHint;
  /** The path that the hint is about, where that is not `path`. */
  hintPath?: string;
  cause?: unknown;
}

/** A property of every DaxError, the same in every copy of the package. */
const BRAND = Symbol.for('udax.DaxError');

/** True for errors of every realm. A vm context, jsdom and messages from workers have their own Error classes. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/**
 * The one error class of udax. It has the shape of Node's system errors: `code` is the errno name, `errno` the negative
 * number, `syscall` and `path` are set when known, `hint` is a key for the step that helps. The message says what failed, why,
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
    // biome-ignore lint/complexity/noThisInStatic: a subclass inherits this method, and `this` is that subclass
    const { prototype } = this;
    if (typeof value !== 'object' || value === null) return false;
    return prototype === DaxError.prototype
      ? BRAND in value
      : Object.prototype.isPrototypeOf.call(prototype, value);
  }

  get [BRAND](): true {
    return true;
  }

  /** The message does not name the code; `errno` follows from it. */
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

/** The hint of an error with its path, if it has one. The path goes along because a wrapping error may have another `path`. */
export function hintOf(error: unknown): { hint?: ErrorHint; hintPath?: string } {
  if (!(error instanceof DaxError) || error.hint === undefined) return {};
  const { hint, hintPath = error.path } = error;
  return hintPath === undefined ? { hint } : { hint, hintPath };
}

/** Throws a DaxError. */
export function fail(code: ErrnoCode, message: string, details?: DaxErrorDetails): never {
  throw new DaxError(code, message, details);
}

/** True for any error (of udax or of Node) that has one of these errno codes. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return isError(error) && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}

/** The errno name of a Node error. libuv has no names for some errnos (ESTALE, ENOLCK): those are told by their number. */
function nameOf(code: unknown, errno: unknown): string {
  const isUnnamed = /^unknown/i.test(String(code)); // "UNKNOWN", or "Unknown system error -37"
  return isUnnamed && typeof errno === 'number' ? codeOf(-errno) : String(code);
}

/** Turns one of Node's system errors into a DaxError that says what udax was doing. Other errors pass through. */
export function asDaxError(error: unknown, doing: string, path?: string, hint?: ErrorHint): unknown {
  if (error instanceof DaxError || !isError(error) || !('code' in error)) return error;
  // Node refuses such paths itself, before any system call.
  if (error.code === 'ERR_INVALID_ARG_VALUE' && error.message.includes('null bytes'))
    return new DaxError('EINVAL', `${doing}: a path cannot have a NUL byte`, { cause: error });
  const code = nameOf(error.code, 'errno' in error ? error.errno : undefined);
  if (!errnoByCode.has(code)) return error;
  const details: DaxErrorDetails = { cause: error };
  if ('syscall' in error) details.syscall = String(error.syscall);
  if (hint !== undefined) details.hint = hint;
  const where = path ?? ('path' in error ? String(error.path) : undefined);
  if (where !== undefined) details.path = where;
  const reason = /^[A-Z0-9]+: ([^,]+)/.exec(error.message)?.[1] ?? error.message;
  // Name the file: `doing` may say only what the file is for.
  const what = where === undefined || doing.includes(basename(where)) ? '' : `${where}: `;
  const next = code === 'EMFILE' ? ' (raise the limit: ulimit -n)' : '';
  return new DaxError(code as ErrnoCode, `${doing}: ${what}${reason}${next}`, details);
}

/**
 * Throws when the signal is aborted. The error is always of one kind, as with Node's own functions: `name` AbortError,
 * `code` ABORT_ERR, and the signal's reason as its `cause`.
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

/** Runs a public function. A system error leaves it as a DaxError that says what was asked for. */
export function withDaxErrors<T>(doing: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw asDaxError(error, `${doing} failed`);
  }
}
