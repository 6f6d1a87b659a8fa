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
import { connectionHandlers } from './serving/connection.js';
import { directoryHandlers, fileHandlers } from './serving/files.js';
import { nameHandlers } from './serving/names.js';
import { ENOSYS, ENOTTY, type Handler, Serving } from './serving/serving.js';
import type { FuseConnectionOptions } from './session-types.js';
import type { FuseSettledConnection } from './types.js';

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
  /** Told when the file system has taken what INIT settled, before the kernel hears the answer. */
  readonly onInit?: (connection: FuseSettledConnection) => void;
  /** Told why INIT was refused: the kernel answers whoever uses the mount with ECONNREFUSED, and sends no request any more. */
  readonly onInitFailure?: (error: unknown) => void;
  /** Bugs of handlers and malformed requests: survived, but somebody should know. */
  readonly onReport: (error: unknown) => void;
  readonly onWire?: (line: string) => void;
  /** Told of each kind of refusal once, with the reason: who made the call sees an errno only. */
  readonly onRefusal?: (error: Error) => void;
}

/** Errors that are everyday answers, or that say all there is to say. */
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
 * One request's bytes in, the file system asked, one reply's pieces out: the protocol without a descriptor.
 * Put a request into `request`, call `serve`, send what `reply` holds (nothing when it has no pieces).
 */
export class Dispatcher {
  /** Where requests are read into: as large as the largest WRITE. */
  readonly request: ArrayBuffer;
  readonly requestAddress: number;
  readonly reply: Reply;
  readonly #reader: MessageReader;
  readonly #serving: Serving;
  /** By opcode, without what the file system does not implement. */
  readonly #handlers = [...handlers];
  readonly #told = new Set<string>();
  readonly #onWire: ((line: string) => void) | undefined;
  readonly #fileSystem: FuseFileSystem;
  readonly #options: DispatcherOptions;

  constructor(fileSystem: FuseFileSystem, options: DispatcherOptions) {
    this.#fileSystem = fileSystem;
    this.#options = options;
    const connection = options.connection ?? {};
    this.#onWire = options.onWire;
    const maxWriteBytes = Math.max(4096, connection.maxWriteBytes ?? DEFAULT_MAX_WRITE_BYTES);
    // The kernel wants room for its largest request, whatever max_write says, and never less than 8 KiB.
    this.request = new ArrayBuffer(Math.ceil(maxWriteBytes / 4096) * 4096 + REQUEST_OVERHEAD_BYTES);
    this.requestAddress = addressOf(this.request);
    this.reply = new Reply(this.request.byteLength);
    this.#reader = new MessageReader(this.request);
    this.#serving = new Serving(fileSystem, connection, this.#reader, this.reply, (settled) =>
      this.#settle(settled),
    );
  }

  /** What INIT settled, once it has. */
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
    if (silent[opcode] === true || length < InHeader.bytes) {
      reply.clear();
      return;
    }
    reply.finish(view.getUint32(UNIQUE_AT, true), view.getUint32(UNIQUE_AT + 4, true), error);
    if (onWire) this.#printReply(length, onWire);
  }

  /** The mount is gone. */
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
      // Nobody else hears of a failure that has no reply.
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
    // Only what lies in the reply itself is shown: pieces elsewhere count by their length.
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
