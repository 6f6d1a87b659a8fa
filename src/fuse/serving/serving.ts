import { errnoOf, readU64 } from '../../libc/index.js';
import type { FuseFileSystem } from '../file-system.js';
import { type MessageReader, type Reply, structs } from '../protocol/index.js';
import type { FuseConnectionOptions } from '../session-types.js';
import type { FuseRequestContext, FuseSettledConnection, NodeId } from '../types.js';
import { DirectoryAnswer } from './directory-answer.js';
import { ReadAnswer } from './read-answer.js';

/** Answers one kind of request. It writes the reply's body and returns 0, or returns a negative errno, or throws. */
export type Handler = (serving: Serving) => number;

export const ENOSYS = -errnoOf('ENOSYS');
export const EPERM = -errnoOf('EPERM');
export const ENOTTY = -errnoOf('ENOTTY');
export const EFBIG = -errnoOf('EFBIG');
export const EINVAL = -errnoOf('EINVAL');
export const ERANGE = -errnoOf('ERANGE');
export const EOVERFLOW = -errnoOf('EOVERFLOW');

const { at } = structs.InHeader;

class RequestContext implements FuseRequestContext {
  unique = 0;
  uid = 0;
  gid = 0;
  pid = 0;
}

/** What handlers work with: the current request and its reply. One object a session. */
export class Serving {
  readonly context = new RequestContext();
  readonly readAnswer: ReadAnswer;
  readonly directoryAnswer: DirectoryAnswer;
  node = 0 as NodeId;
  connection: FuseSettledConnection | null = null;
  readonly #onSettled: (connection: FuseSettledConnection) => void;

  constructor(
    readonly fileSystem: FuseFileSystem,
    readonly options: FuseConnectionOptions,
    readonly reader: MessageReader,
    readonly reply: Reply,
    onSettled: (connection: FuseSettledConnection) => void,
  ) {
    this.#onSettled = onSettled;
    this.readAnswer = new ReadAnswer(reply);
    this.directoryAnswer = new DirectoryAnswer(reply);
  }

  /** Ends INIT: other requests are served from now on. */
  settle(connection: FuseSettledConnection): void {
    this.#onSettled(connection);
    this.connection = connection;
  }

  /** Reads the header of the request. @returns the opcode */
  begin(): number {
    const { view } = this.reader;
    const { context } = this;
    context.unique = readU64(view, at.unique);
    context.uid = view.getUint32(at.uid, true);
    context.gid = view.getUint32(at.gid, true);
    context.pid = view.getUint32(at.pid, true);
    this.node = readU64(view, at.nodeId) as NodeId;
    return view.getUint32(at.opcode, true);
  }
}
