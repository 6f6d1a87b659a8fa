import { addressOf, DaxError, errnoOf, fail, isError } from '../libc/index.js';
import type { FuseFileSystem } from './file-system.js';
import {
  DEFAULT_MAX_WRITE_BYTES,
  MessageReader,
  type OperationName,
  opcodeOf,
  operationOf,
  operations,
  optionalOperations,
  printReply,
  printRequest,
  REQUEST_OVERHEAD_BYTES,
  Reply,
  structs,
} from './protocol/index.js';
import { attributeHandlers } from './serving/attributes.js';
import type { FuseBackings } from './serving/backings.js';
import { connectionHandlers } from './serving/connection.js';
import { directoryHandlers, fileHandlers } from './serving/files.js';
import { nameHandlers } from './serving/names.js';
import { ENOSYS, ENOTTY, type Handler, Serving } from './serving/serving.js';
import type { FuseConnectionOptions } from './session-types.js';
import { ANSWERED_LATER, type FuseSettledConnection } from './types.js';

const EIO = -errnoOf('EIO');
const byName: Record<string, Handler> = {
  ...connectionHandlers,
  ...nameHandlers,
  ...attributeHandlers,
  ...fileHandlers,
  ...directoryHandlers,
  IOCTL: () => ENOTTY,
};
const handlers: (Handler | undefined)[] = [];
const silent: boolean[] = [];
for (const { opcode, name, reply } of operations) {
  handlers[opcode] = byName[name];
  silent[opcode] = reply === 'never';
}
const OPCODE_INIT = opcodeOf('INIT' satisfies OperationName);
const { InHeader } = structs;
const OPCODE_AT = InHeader.at.opcode;
const UNIQUE_AT = InHeader.at.unique;

export interface DispatcherOptions {
  readonly connection?: FuseConnectionOptions;
  /** Called when the file system has accepted what INIT settled, before the answer goes to the kernel. */
  readonly onInit?: (connection: FuseSettledConnection) => void;
  /** Receives the reason when INIT is refused. The kernel then answers every use of the mount with ECONNREFUSED and sends no more requests. */
  readonly onInitFailure?: (error: unknown) => void;
  /** Receives bugs of handlers, and failures of requests that have no reply. The dispatcher survives them. */
  readonly onReport: (error: unknown) => void;
  readonly onWire?: (line: string) => void;
  /** For file systems that ask for extent maps. */
  readonly backings?: FuseBackings;
  /** Receives each kind of refusal once, with the reason: the caller of the system call sees only an errno. */
  readonly onRefusal?: (error: Error) => void;
}

/** Errors that are ordinary answers, or need no further explanation. They do not go to onRefusal. */
const PLAIN_ANSWERS = new Set([
  'ENOENT',
  'ENODATA',
  'EEXIST',
  'ENOTDIR',
  'EISDIR',
  'ENOTEMPTY',
  'EROFS',
  'EACCES',
  'EBADF',
  'ENAMETOOLONG',
]);

/**
 * Serves one request: decodes its bytes, calls the file system, and encodes the reply. It uses no descriptor. The caller puts a
 * request into `request`, calls `serve`, and sends what `reply` holds (nothing when it has no pieces).
 */
export class Dispatcher {
  /** The buffer for requests, as large as the largest WRITE. */
  readonly request: ArrayBuffer;
  readonly requestAddress: number;
  readonly reply: Reply;
  readonly #reader: MessageReader;
  readonly #serving: Serving;
  /** Handlers by opcode, without the operations that init() reported as unimplemented. */
  readonly #handlers = [...handlers];
  readonly #told = new Set<string>();
  readonly #onWire: ((line: string) => void) | undefined;
  readonly #fileSystem: FuseFileSystem;
  readonly #options: DispatcherOptions;
  /** Of the request served last: its opcode, and whether it was answered with an errno. */
  opcode = 0;
  isRefused = false;
  /** INIT was accepted, and started() is to be called once its answer is sent. */
  isStarting = false;

  constructor(fileSystem: FuseFileSystem, options: DispatcherOptions) {
    this.#fileSystem = fileSystem;
    this.#options = options;
    const connection = options.connection ?? {};
    this.#onWire = options.onWire;
    const maxWriteBytes = Math.max(4096, connection.maxWriteBytes ?? DEFAULT_MAX_WRITE_BYTES);
    // The kernel wants room for its largest request, whatever max_write says, and at least 8 KiB.
    this.request = new ArrayBuffer(Math.ceil(maxWriteBytes / 4096) * 4096 + REQUEST_OVERHEAD_BYTES);
    this.requestAddress = addressOf(this.request);
    this.reply = new Reply(this.request.byteLength);
    this.#reader = new MessageReader(this.request);
    this.#serving = new Serving(fileSystem, connection, this.#reader, this.reply, (settled) =>
      this.#settle(settled),
    );
  }

  /** What INIT settled; null before that. */
  get connection(): FuseSettledConnection | null {
    return this.#serving.connection;
  }

  /** Serves the request that fills the first `length` bytes of `request`. */
  serve(length: number): void {
    const { reply } = this;
    const onWire = this.#onWire;
    const { view } = this.#reader;
    if (onWire) onWire(printRequest(new Uint8Array(this.request, 0, length)));
    const opcode = length >= 8 ? view.getUint32(OPCODE_AT, true) : 0;
    reply.begin();
    const error = this.#answer(opcode, length);
    this.opcode = opcode;
    this.isRefused = error !== 0 && error !== ANSWERED_LATER;
    if (silent[opcode] === true || length < InHeader.bytes || error === ANSWERED_LATER) {
      reply.clear();
      return;
    }
    reply.finish(view.getUint32(UNIQUE_AT, true), view.getUint32(UNIQUE_AT + 4, true), error);
    if (onWire) this.#printReply(length, onWire);
  }

  /** Called when the answer to INIT was sent: the kernel takes backings from now on. */
  started(): void {
    this.isStarting = false;
    const { backings, onInitFailure } = this.#options;
    if (backings === undefined) return;
    try {
      this.#fileSystem.started?.(backings);
    } catch (error) {
      onInitFailure?.(error);
    }
  }

  /** Calls the file system's destroy(): the mount is gone. */
  destroy(): void {
    try {
      this.#fileSystem.destroy?.();
    } catch (error) {
      this.#options.onReport(error);
    }
  }

  #settle(connection: FuseSettledConnection): void {
    for (const name of connection.unimplemented) {
      if (!optionalOperations.includes(name)) {
        fail('EINVAL', `no file system can leave ${name} out: only ${optionalOperations.join(', ')}`);
      }
      this.#handlers[opcodeOf(name)] = undefined;
    }
    this.#options.onInit?.(connection);
    this.isStarting = true;
  }

  #answer(opcode: number, length: number): number {
    try {
      this.#reader.start(length);
      this.#serving.begin();
      const handler = this.#handlers[opcode];
      if (handler === undefined) return ENOSYS;
      if (this.#serving.connection === null && opcode !== OPCODE_INIT) return EIO;
      return handler(this.#serving);
    } catch (error) {
      if (opcode === OPCODE_INIT) this.#options.onInitFailure?.(error);
      const errno = errnoOfThrown(error);
      // A failure of a request without a reply can only be reported.
      if (errno === undefined || silent[opcode]) {
        this.#options.onReport(
          new Error(`serving ${operationOf(opcode)?.name ?? opcode} failed`, { cause: error }),
        );
      } else this.#tellOnce(opcode, error);
      return errno ?? EIO;
    }
  }

  #tellOnce(opcode: number, error: unknown): void {
    const { onRefusal } = this.#options;
    if (onRefusal === undefined || !(error instanceof DaxError) || PLAIN_ANSWERS.has(error.code)) return;
    const operation = operationOf(opcode)?.name ?? String(opcode);
    const kind = `${operation} ${error.code}`;
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    onRefusal(new Error(`${operation}: ${error.message} (${error.code}; this kind is told once)`));
  }

  #printReply(requestLength: number, onWire: (line: string) => void): void {
    // Only bytes in the reply's own buffer are shown. Pieces elsewhere show as zeroes of their length.
    const shown = new Uint8Array(this.reply.length);
    shown.set(this.reply.bytes.subarray(0, Math.min(this.reply.length, this.reply.inlineBytes)));
    onWire(printReply(shown, new Uint8Array(this.request, 0, requestLength)));
  }
}

/** The negative errno of a DaxError or a system error of Node; undefined for anything else (a bug). */
function errnoOfThrown(error: unknown): number | undefined {
  if (error instanceof DaxError) return error.errno;
  if (!isError(error) || !('errno' in error) || typeof error.errno !== 'number') return undefined;
  return error.errno < 0 && error.errno > -512 ? error.errno : undefined;
}
