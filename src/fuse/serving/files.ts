import { encodeOpened, structs } from '../protocol/index.js';
import { ANSWERED_LATER, type FileHandle } from '../types.js';
import { EFBIG, EINVAL, ENOSYS, EPERM, type Handler, type Serving } from './serving.js';

const { OpenIn, ReadIn, WriteIn, WriteOut, ReleaseIn, FlushIn, FsyncIn, FallocateIn, LseekIn, LseekOut } =
  structs;

/** Handlers of requests about open files. A 64-bit offset beyond 2^53 counts as past the end of any file. */
export const fileHandlers: Record<string, Handler> = {
  OPEN({ fileSystem, reader, reply, node, context }) {
    if (!fileSystem.open) return ENOSYS;
    const flags = reader.u32(reader.take(OpenIn) + OpenIn.at.flags);
    reply.setBody(encodeOpened(reply.view, reply.body, fileSystem.open(node, flags, context)));
    return 0;
  },

  READ({ fileSystem, reader, readAnswer, node, context }) {
    if (!fileSystem.read) return EPERM;
    const at = reader.take(ReadIn);
    const offset = reader.u64(at + ReadIn.at.offset);
    if (Number.isNaN(offset)) return 0;
    const size = reader.u32(at + ReadIn.at.size);
    readAnswer.start(size);
    fileSystem.read(node, handleAt(reader, at), offset, size, readAnswer, context);
    return 0;
  },

  WRITE({ fileSystem, reader, reply, node, context }) {
    if (!fileSystem.write) return EPERM;
    const at = reader.take(WriteIn);
    const offset = reader.u64(at + WriteIn.at.offset);
    if (Number.isNaN(offset)) return EFBIG;
    const data = reader.takeBytes(reader.u32(at + WriteIn.at.size));
    const written = fileSystem.write(node, handleAt(reader, at), offset, data, context);
    if (written === ANSWERED_LATER) return ANSWERED_LATER;
    reply.u32(WriteOut.at.size, written);
    reply.u32(WriteOut.at.padding, 0);
    reply.setBody(WriteOut.bytes);
    return 0;
  },

  FLUSH({ fileSystem, reader, node, context }) {
    if (!fileSystem.flush) return ENOSYS;
    fileSystem.flush(node, handleAt(reader, reader.take(FlushIn)), context);
    return 0;
  },

  RELEASE({ fileSystem, reader, node, context }) {
    const at = reader.take(ReleaseIn);
    const flags = reader.u32(at + ReleaseIn.at.flags);
    fileSystem.release?.(node, handleAt(reader, at), flags, context);
    return 0;
  },

  FSYNC({ fileSystem, reader, node, context }) {
    if (!fileSystem.fsync) return ENOSYS;
    const at = reader.take(FsyncIn);
    fileSystem.fsync(node, handleAt(reader, at), dataOnly(reader, at), context);
    return 0;
  },

  FALLOCATE({ fileSystem, reader, node, context }) {
    if (!fileSystem.fallocate) return ENOSYS;
    const at = reader.take(FallocateIn);
    const offset = reader.u64(at + FallocateIn.at.offset);
    const length = reader.u64(at + FallocateIn.at.length);
    if (!Number.isSafeInteger(offset + length)) return EFBIG;
    const mode = reader.u32(at + FallocateIn.at.mode);
    fileSystem.fallocate(node, handleAt(reader, at), offset, length, mode, context);
    return 0;
  },

  LSEEK({ fileSystem, reader, reply, node, context }) {
    if (!fileSystem.lseek) return ENOSYS;
    const at = reader.take(LseekIn);
    const offset = reader.u64(at + LseekIn.at.offset);
    const whence = reader.u32(at + LseekIn.at.whence);
    const found = fileSystem.lseek(
      node,
      handleAt(reader, at),
      Number.isNaN(offset) ? Number.MAX_SAFE_INTEGER : offset,
      whence,
      context,
    );
    reply.u64(LseekOut.at.offset, found);
    reply.setBody(LseekOut.bytes);
    return 0;
  },
};

/** Handlers of requests about open directories. */
export const directoryHandlers: Record<string, Handler> = {
  OPENDIR({ fileSystem, reader, reply, node, context }) {
    if (!fileSystem.opendir) return ENOSYS;
    const flags = reader.u32(reader.take(OpenIn) + OpenIn.at.flags);
    reply.setBody(encodeOpened(reply.view, reply.body, fileSystem.opendir(node, flags, context)));
    return 0;
  },

  READDIR: (serving) => readDirectory(serving, false),
  READDIRPLUS: (serving) => readDirectory(serving, true),

  RELEASEDIR({ fileSystem, reader, node, context }) {
    fileSystem.releasedir?.(node, handleAt(reader, reader.take(ReleaseIn)), context);
    return 0;
  },

  FSYNCDIR({ fileSystem, reader, node, context }) {
    if (!fileSystem.fsyncdir) return ENOSYS;
    const at = reader.take(FsyncIn);
    fileSystem.fsyncdir(node, handleAt(reader, at), dataOnly(reader, at), context);
    return 0;
  },
};

function readDirectory(serving: Serving, plus: boolean): number {
  const { fileSystem, reader, directoryAnswer, node, context } = serving;
  if (!fileSystem.readdir) return ENOSYS;
  const at = reader.take(ReadIn);
  const offset = reader.u64(at + ReadIn.at.offset);
  if (Number.isNaN(offset)) return EINVAL;
  directoryAnswer.start(plus, reader.u32(at + ReadIn.at.size));
  fileSystem.readdir(node, handleAt(reader, at), offset, directoryAnswer, context);
  return 0;
}

/** The handle of a request about an open file. Every such struct begins with it. */
function handleAt(reader: Serving['reader'], at: number): FileHandle {
  return reader.u64(at + ReadIn.at.handle) as FileHandle;
}

function dataOnly(reader: Serving['reader'], at: number): boolean {
  return (reader.u32(at + FsyncIn.at.fsyncFlags) & 1) !== 0;
}
