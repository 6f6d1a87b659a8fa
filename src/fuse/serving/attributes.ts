import { readI64 } from '../../libc/index.js';
import { encodeAttributeAnswer, setattrValid, structs } from '../protocol/index.js';
import type { FileHandle, FuseAttributeAnswer, FuseAttributeChange, Timestamp } from '../types.js';
import { EFBIG, ENOSYS, EPERM, ERANGE, type Handler, type Serving } from './serving.js';

const { AttrOut, GetattrIn, SetattrIn, GetxattrIn, GetxattrOut, SetxattrIn } = structs;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function answerAttributes({ reply }: Serving, answer: FuseAttributeAnswer): number {
  encodeAttributeAnswer(reply.words, reply.body, answer.attributes, answer.attributeSeconds);
  reply.setBody(AttrOut.bytes);
  return 0;
}

/** Handlers of requests about attributes and extended attributes. */
export const attributeHandlers: Record<string, Handler> = {
  GETATTR(serving) {
    const { fileSystem, reader, node, context } = serving;
    const at = reader.take(GetattrIn);
    const byHandle = (reader.u32(at + GetattrIn.at.flags) & 1) !== 0;
    const handle = byHandle ? (reader.u64(at + GetattrIn.at.handle) as FileHandle) : undefined;
    return answerAttributes(serving, fileSystem.getattr(node, handle, context));
  },

  SETATTR(serving) {
    const { fileSystem, reader, node, context } = serving;
    if (!fileSystem.setattr) return EPERM;
    const change = readChange(serving, reader.take(SetattrIn));
    if (Number.isNaN(change.size)) return EFBIG;
    return answerAttributes(serving, fileSystem.setattr(node, change, context));
  },

  GETXATTR(serving) {
    const { fileSystem, reader, node, context } = serving;
    if (!fileSystem.getxattr) return ENOSYS;
    const room = reader.u32(reader.take(GetxattrIn) + GetxattrIn.at.size);
    return answerSized(serving, fileSystem.getxattr(node, reader.name(), context), room);
  },

  LISTXATTR(serving) {
    const { fileSystem, reader, node, context } = serving;
    if (!fileSystem.listxattr) return ENOSYS;
    const room = reader.u32(reader.take(GetxattrIn) + GetxattrIn.at.size);
    const names = fileSystem.listxattr(node, context);
    return answerSized(serving, Buffer.from(names.map((name) => `${name}\0`).join('')), room);
  },

  SETXATTR({ fileSystem, reader, node, context }) {
    if (!fileSystem.setxattr) return ENOSYS;
    const at = reader.take(SetxattrIn);
    const name = reader.name('EILSEQ');
    const value = reader.takeBytes(reader.u32(at + SetxattrIn.at.size));
    fileSystem.setxattr(node, name, value, reader.u32(at + SetxattrIn.at.flags), context);
    return 0;
  },

  REMOVEXATTR({ fileSystem, reader, node, context }) {
    if (!fileSystem.removexattr) return ENOSYS;
    fileSystem.removexattr(node, reader.name(), context);
    return 0;
  },
};

/** Answers with a value, or with its size only when the caller's room is 0. */
function answerSized({ reply }: Serving, value: Uint8Array, room: number): number {
  if (room === 0) {
    reply.u32(GetxattrOut.at.size, value.length);
    reply.u32(GetxattrOut.at.padding, 0);
    reply.setBody(GetxattrOut.bytes);
    return 0;
  }
  if (value.length > room) return ERANGE;
  reply.addBytes(value);
  return 0;
}

function readChange({ reader }: Serving, at: number): FuseAttributeChange {
  const field = SetattrIn.at;
  const valid = reader.u32(at + field.valid);
  const has = (bit: number) => ((valid >>> bit) & 1) === 1;
  const time = (seconds: number, nanoseconds: number): Timestamp => ({
    seconds: readI64(reader.view, at + seconds),
    nanoseconds: reader.u32(at + nanoseconds),
  });
  const change: Writable<FuseAttributeChange> = {};
  if (has(setattrValid.MODE)) change.mode = reader.u32(at + field.mode);
  if (has(setattrValid.UID)) change.uid = reader.u32(at + field.uid);
  if (has(setattrValid.GID)) change.gid = reader.u32(at + field.gid);
  if (has(setattrValid.SIZE)) change.size = reader.u64(at + field.size);
  if (has(setattrValid.ATIME_NOW)) change.atime = 'now';
  else if (has(setattrValid.ATIME)) change.atime = time(field.atime, field.atimeNanoseconds);
  if (has(setattrValid.MTIME_NOW)) change.mtime = 'now';
  else if (has(setattrValid.MTIME)) change.mtime = time(field.mtime, field.mtimeNanoseconds);
  if (has(setattrValid.CTIME)) change.ctime = time(field.ctime, field.ctimeNanoseconds);
  if (has(setattrValid.FH)) change.handle = reader.u64(at + field.handle) as FileHandle;
  return change;
}
