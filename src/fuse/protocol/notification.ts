import { writeU64 } from '../../libc/index.js';
import type { StructTable } from './struct.js';
import { NotifyDelete, NotifyInvalEntry, NotifyInvalInode, OutHeader } from './structs.js';

const INVAL_INODE = 2;
const INVAL_ENTRY = 3;
const DELETE = 6;

/** The bytes of NOTIFY_INVAL_INODE. `length` 0 means to the end; a negative `offset` means attributes only. */
export function encodeInvalInode(node: number, offset: number, length: number): Uint8Array {
  const { message, view } = notification(INVAL_INODE, NotifyInvalInode, '');
  writeU64(view, OutHeader.bytes + NotifyInvalInode.at.nodeId, node);
  writeU64(view, OutHeader.bytes + NotifyInvalInode.at.offset, offset);
  writeU64(view, OutHeader.bytes + NotifyInvalInode.at.length, length);
  return message;
}

/** The bytes of NOTIFY_INVAL_ENTRY. */
export function encodeInvalEntry(parent: number, name: string, expireOnly: boolean): Uint8Array {
  const { message, view } = notification(INVAL_ENTRY, NotifyInvalEntry, name);
  writeU64(view, OutHeader.bytes + NotifyInvalEntry.at.parent, parent);
  view.setUint32(OutHeader.bytes + NotifyInvalEntry.at.nameLength, Buffer.byteLength(name), true);
  view.setUint32(OutHeader.bytes + NotifyInvalEntry.at.flags, expireOnly ? 1 : 0, true);
  return message;
}

/** The bytes of NOTIFY_DELETE. */
export function encodeDelete(parent: number, child: number, name: string): Uint8Array {
  const { message, view } = notification(DELETE, NotifyDelete, name);
  writeU64(view, OutHeader.bytes + NotifyDelete.at.parent, parent);
  writeU64(view, OutHeader.bytes + NotifyDelete.at.child, child);
  view.setUint32(OutHeader.bytes + NotifyDelete.at.nameLength, Buffer.byteLength(name), true);
  return message;
}

/** A message with a header (unique 0, the code in place of an error), room for the struct, and the name, NUL-terminated, if not ''. */
function notification(code: number, struct: StructTable<string>, name: string) {
  const nameBytes = name === '' ? 0 : Buffer.byteLength(name) + 1;
  const message = new Uint8Array(new ArrayBuffer(OutHeader.bytes + struct.bytes + nameBytes));
  const view = new DataView(message.buffer);
  view.setUint32(OutHeader.at.length, message.length, true);
  view.setInt32(OutHeader.at.error, code, true);
  Buffer.from(message.buffer).write(name, OutHeader.bytes + struct.bytes);
  return { message, view };
}
