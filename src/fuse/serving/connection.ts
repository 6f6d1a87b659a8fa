import { fail } from '../../libc/index.js';
import { encodeStatfs, type InitAnswer, negotiate, PROTOCOL_MAJOR, structs } from '../protocol/index.js';
import type { FuseConnection, NodeId } from '../types.js';
import { ENOSYS, type Handler, type Serving } from './serving.js';

const { InitIn, InitOut, INIT_IN_SHORT_BYTES, ForgetIn, BatchForgetIn, ForgetOne, StatfsOut, AccessIn } =
  structs;
const NAME_MAX = 255;
const emptyVolume = {
  blockSize: 4096,
  blocks: 0,
  freeBlocks: 0,
  availableBlocks: 0,
  files: 0,
  freeFiles: 0,
  nameLength: NAME_MAX,
};

/** Handlers of requests about the connection and the file system as a whole. */
export const connectionHandlers: Record<string, Handler> = {
  INIT(serving) {
    const { reader } = serving;
    const at = reader.take(InitIn, INIT_IN_SHORT_BYTES);
    const major = reader.u32(at + InitIn.at.major);
    if (major > PROTOCOL_MAJOR) {
      answerMajorOnly(serving); // the kernel then sends INIT again, in this version
      return 0;
    }
    const answer = negotiate(
      {
        major,
        minor: reader.u32(at + InitIn.at.minor),
        maxReadaheadBytes: reader.u32(at + InitIn.at.maxReadahead),
        flags: reader.u32(at + InitIn.at.flags),
        flags2: reader.u32(at + InitIn.at.flags2),
      },
      serving.options,
    );
    answerInit(serving, answer);
    const connection: FuseConnection = {
      kernelMinor: answer.kernelMinor,
      minor: answer.minor,
      maxWriteBytes: answer.maxWriteBytes,
      maxReadaheadBytes: answer.maxReadaheadBytes,
      capabilities: answer.capabilities,
    };
    const { unimplemented = [] } = serving.fileSystem.init?.(connection) ?? {};
    serving.settle({ ...connection, unimplemented });
    return 0;
  },

  FORGET(serving) {
    const { reader } = serving;
    const at = reader.take(ForgetIn);
    serving.fileSystem.forget?.(serving.node, reader.u64(at + ForgetIn.at.lookups));
    return 0;
  },

  BATCH_FORGET(serving) {
    const { reader, fileSystem } = serving;
    const count = reader.u32(reader.take(BatchForgetIn) + BatchForgetIn.at.count);
    if (count * ForgetOne.bytes > reader.remaining) {
      fail('EINVAL', `BATCH_FORGET names ${count} nodes and holds fewer`);
    }
    for (let index = 0; index < count; index += 1) {
      const at = reader.take(ForgetOne);
      fileSystem.forget?.(
        reader.u64(at + ForgetOne.at.nodeId) as NodeId,
        reader.u64(at + ForgetOne.at.lookups),
      );
    }
    return 0;
  },

  // One loop serves all requests in order, so the request to interrupt was answered before this one was read.
  INTERRUPT: () => 0,
  NOTIFY_REPLY: () => 0,
  // The session calls destroy() when its loop ends, for any reason.
  DESTROY: () => 0,

  STATFS({ fileSystem, reply, node, context }) {
    const volume = fileSystem.statfs?.(node, context) ?? emptyVolume;
    encodeStatfs(reply.bytes, reply.view, reply.body, volume);
    reply.setBody(StatfsOut.bytes);
    return 0;
  },

  SYNCFS({ fileSystem, context }) {
    if (!fileSystem.syncfs) return ENOSYS;
    fileSystem.syncfs(context);
    return 0;
  },

  ACCESS({ fileSystem, reader, node, context }) {
    if (!fileSystem.access) return ENOSYS;
    fileSystem.access(node, reader.u32(reader.take(AccessIn) + AccessIn.at.mask), context);
    return 0;
  },
};

function answerMajorOnly({ reply }: Serving): void {
  reply.bytes.fill(0, reply.body, reply.body + InitOut.bytes);
  reply.u32(InitOut.at.major, PROTOCOL_MAJOR);
  reply.setBody(InitOut.bytes);
}

function answerInit({ reply }: Serving, answer: InitAnswer): void {
  const { at } = InitOut;
  reply.bytes.fill(0, reply.body, reply.body + InitOut.bytes);
  reply.u32(at.major, PROTOCOL_MAJOR);
  reply.u32(at.minor, answer.minor);
  reply.u32(at.maxReadahead, answer.maxReadaheadBytes);
  reply.u32(at.flags, answer.flags);
  reply.view.setUint16(reply.body + at.maxBackground, answer.maxBackground, true);
  reply.view.setUint16(reply.body + at.congestionThreshold, answer.congestionThreshold, true);
  reply.u32(at.maxWrite, answer.maxWriteBytes);
  reply.u32(at.timeGranularity, answer.timeGranularityNs);
  reply.view.setUint16(reply.body + at.maxPages, answer.maxPages, true);
  reply.u32(at.flags2, answer.flags2);
  reply.u32(at.maxStackDepth, answer.maxStackDepth);
  reply.setBody(InitOut.bytes);
}
