import { fail, writeU64 } from '../../libc/index.js';
import type { FuseMapExtent } from '../types.js';
import { backingMapFlags } from './flags.js';
import type { StructTable } from './struct.js';
import {
  BackingCreateIn,
  FuseExtent,
  NotifyBackingMap,
  NotifyBackingRemove,
  NotifyDelete,
  NotifyInvalEntry,
  NotifyInvalInode,
  OutHeader,
} from './structs.js';

const INVAL_INODE = 2;
const INVAL_ENTRY = 3;
const DELETE = 6;
const BACKING_REMOVE = 10;
const BACKING_MAP = 11;

/** FUSE_MAX_EXTENTS: more in one BACKING_MAP is EINVAL. */
const MAX_MAP_EXTENTS = 1365;

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

/**
 * The bytes of NOTIFY_BACKING_MAP: makes a map from file offsets to a device.
 * @throws DaxError EINVAL no extent, or more than one message holds
 */
export function encodeBackingMap(
  id: bigint,
  deviceId: bigint,
  extents: readonly FuseMapExtent[],
): Uint8Array {
  if (extents.length === 0 || extents.length > MAX_MAP_EXTENTS)
    fail('EINVAL', `a map has 1 to ${MAX_MAP_EXTENTS} extents, not ${extents.length}`);
  const tailBytes = extents.length * FuseExtent.bytes;
  const { message, view } = notification(BACKING_MAP, NotifyBackingMap, '', tailBytes);
  const { at: field } = NotifyBackingMap;
  view.setBigUint64(OutHeader.bytes + field.backingId, id, true);
  view.setUint32(OutHeader.bytes + field.extentCount, extents.length, true);
  view.setUint32(OutHeader.bytes + field.flags, 1 << backingMapFlags.CREATE, true);
  let at = OutHeader.bytes + NotifyBackingMap.bytes;
  for (const { offset, length, address } of extents) {
    writeU64(view, at + FuseExtent.at.offset, offset);
    writeU64(view, at + FuseExtent.at.length, length);
    view.setBigUint64(at + FuseExtent.at.backingId, deviceId, true);
    writeU64(view, at + FuseExtent.at.address, address);
    at += FuseExtent.bytes;
  }
  return message;
}

/** The bytes of NOTIFY_BACKING_REMOVE: drops an id. What is open or mapped through it goes on. */
export function encodeBackingRemove(id: bigint): Uint8Array {
  const { message, view } = notification(BACKING_REMOVE, NotifyBackingRemove, '');
  view.setBigUint64(OutHeader.bytes + NotifyBackingRemove.at.backingId, id, true);
  return message;
}

/** The argument of the ioctl BACKING_CREATE. */
export function encodeBackingCreate(fd: number, id: bigint): Uint8Array {
  const argument = new Uint8Array(new ArrayBuffer(BackingCreateIn.bytes));
  const view = new DataView(argument.buffer);
  view.setUint32(BackingCreateIn.at.fd, fd, true);
  view.setBigUint64(BackingCreateIn.at.backingId, id, true);
  return argument;
}

/** A message with a header (unique 0, the code in place of an error), room for the struct, then the name, NUL-terminated, if not '', or `tailBytes`. */
function notification(code: number, struct: StructTable<string>, name: string, tailBytes = 0) {
  const nameBytes = name === '' ? 0 : Buffer.byteLength(name) + 1;
  const message = new Uint8Array(new ArrayBuffer(OutHeader.bytes + struct.bytes + nameBytes + tailBytes));
  const view = new DataView(message.buffer);
  view.setUint32(OutHeader.at.length, message.length, true);
  view.setInt32(OutHeader.at.error, code, true);
  Buffer.from(message.buffer).write(name, OutHeader.bytes + struct.bytes);
  return { message, view };
}
