import { encodeEntry, encodeOpened, structs } from '../protocol/index.js';
import type { FuseEntry, NodeId } from '../types.js';
import { ENOSYS, EPERM, type Handler, type Serving } from './serving.js';

const { EntryOut, MknodIn, MkdirIn, RenameIn, Rename2In, LinkIn, CreateIn } = structs;

function answerEntry({ reply }: Serving, entry: FuseEntry): number {
  encodeEntry(reply.words, reply.body, entry);
  reply.setBody(EntryOut.bytes);
  return 0;
}

/** Handlers of requests that find, make, move and remove names. */
export const nameHandlers: Record<string, Handler> = {
  LOOKUP(serving) {
    const { fileSystem, reader, node, context } = serving;
    return answerEntry(serving, fileSystem.lookup(node, reader.name(), context));
  },

  MKNOD(serving) {
    const { fileSystem, reader, node, context } = serving;
    if (!fileSystem.mknod) return EPERM;
    const at = reader.take(MknodIn);
    const name = reader.name('EILSEQ');
    const mode = reader.u32(at + MknodIn.at.mode);
    const rdev = reader.u32(at + MknodIn.at.rdev);
    const umask = reader.u32(at + MknodIn.at.umask);
    return answerEntry(serving, fileSystem.mknod(node, name, mode, rdev, umask, context));
  },

  MKDIR(serving) {
    const { fileSystem, reader, node, context } = serving;
    if (!fileSystem.mkdir) return EPERM;
    const at = reader.take(MkdirIn);
    const name = reader.name('EILSEQ');
    const mode = reader.u32(at + MkdirIn.at.mode);
    return answerEntry(
      serving,
      fileSystem.mkdir(node, name, mode, reader.u32(at + MkdirIn.at.umask), context),
    );
  },

  UNLINK({ fileSystem, reader, node, context }) {
    if (!fileSystem.unlink) return EPERM;
    fileSystem.unlink(node, reader.name(), context);
    return 0;
  },

  RMDIR({ fileSystem, reader, node, context }) {
    if (!fileSystem.rmdir) return EPERM;
    fileSystem.rmdir(node, reader.name(), context);
    return 0;
  },

  SYMLINK(serving) {
    const { fileSystem, reader, node, context } = serving;
    if (!fileSystem.symlink) return EPERM;
    const name = reader.name('EILSEQ');
    return answerEntry(serving, fileSystem.symlink(node, name, reader.name('EILSEQ'), context));
  },

  RENAME(serving) {
    const { reader } = serving;
    return rename(serving, reader.u64(reader.take(RenameIn) + RenameIn.at.newParent), 0);
  },

  RENAME2(serving) {
    const { reader } = serving;
    const at = reader.take(Rename2In);
    return rename(serving, reader.u64(at + Rename2In.at.newParent), reader.u32(at + Rename2In.at.flags));
  },

  LINK(serving) {
    const { fileSystem, reader, node, context } = serving;
    if (!fileSystem.link) return EPERM;
    const old = reader.u64(reader.take(LinkIn) + LinkIn.at.oldNodeId) as NodeId;
    return answerEntry(serving, fileSystem.link(old, node, reader.name('EILSEQ'), context));
  },

  READLINK({ fileSystem, reply, node, context }) {
    if (!fileSystem.readlink) return ENOSYS;
    reply.addBytes(Buffer.from(fileSystem.readlink(node, context)));
    return 0;
  },

  CREATE({ fileSystem, reader, reply, node, context }) {
    if (!fileSystem.create) return ENOSYS;
    const at = reader.take(CreateIn);
    const name = reader.name('EILSEQ');
    const mode = reader.u32(at + CreateIn.at.mode);
    const flags = reader.u32(at + CreateIn.at.flags);
    const umask = reader.u32(at + CreateIn.at.umask);
    const { entry, opened } = fileSystem.create(node, name, mode, flags, umask, context);
    encodeEntry(reply.words, reply.body, entry);
    reply.setBody(EntryOut.bytes + encodeOpened(reply.view, reply.body + EntryOut.bytes, opened));
    return 0;
  },
};

function rename({ fileSystem, reader, node, context }: Serving, newParent: number, flags: number): number {
  if (!fileSystem.rename) return EPERM;
  const name = reader.name();
  fileSystem.rename(node, name, newParent as NodeId, reader.name('EILSEQ'), flags, context);
  return 0;
}
