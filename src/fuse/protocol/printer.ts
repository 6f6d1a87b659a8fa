import { codeOf } from '../../libc/index.js';
import { flagNames } from './flags.js';
import { notifications, type Operation, operationOf } from './operations.js';
import type { Field, Struct } from './struct.js';
import {
  BackingCreateIn,
  Dirent,
  DirentPlus,
  EntryOut,
  ForgetOne,
  FuseExtent,
  GetxattrOut,
  InHeader,
  OutHeader,
} from './structs.js';

/** How many names of a listing (or items of a BATCH_FORGET), and how many bytes of a text, a line shows. */
const SHOWN = 4;
const SHOWN_BYTES = 64;

/** Prints a struct: `{handle=1 offset=0 flags=[CREAT|TRUNC]}`. Leaves out padding and fields behind the end of the message. */
function printStruct(struct: Struct, view: DataView, at = 0, end = view.byteLength): string {
  const parts: string[] = [];
  for (const field of struct.fields) {
    if (/^(padding|unused)/.test(field.name)) continue;
    const text = printField(field, view, at + field.offset, end);
    if (text !== null) parts.push(`${field.name}=${text}`);
  }
  return `{${parts.join(' ')}}`;
}

function printField(field: Field, view: DataView, at: number, end: number): string | null {
  const { type } = field;
  if (typeof type === 'object' && 'fields' in type) return printStruct(type, view, at, end);
  const scalar = typeof type === 'object' ? type.scalar : type;
  const bytes = Number(scalar.slice(1)) / 8;
  if (at + bytes > end) return null;
  const value = scalarAt(view, at, scalar);
  if (typeof type === 'object') return flagNames(type.flags, value);
  return /^(mode|umask)$/.test(field.name) ? `0${value.toString(8)}` : String(value);
}

function scalarAt(view: DataView, at: number, scalar: string): bigint {
  switch (scalar) {
    case 'u16':
      return BigInt(view.getUint16(at, true));
    case 'i32':
      return BigInt(view.getInt32(at, true));
    case 'u32':
      return BigInt(view.getUint32(at, true));
    case 'i64':
      return view.getBigInt64(at, true);
    default:
      return view.getBigUint64(at, true);
  }
}

/** Prints a request in one line: `-> #18 READ node=2 uid=0 gid=0 pid=7 {handle=1 offset=0 ...}`. */
export function printRequest(message: Uint8Array): string {
  const view = viewOf(message);
  if (message.length < InHeader.bytes) return `-> short message of ${message.length} bytes`;
  const opcode = view.getUint32(InHeader.at.opcode, true);
  const operation = operationOf(opcode);
  const header =
    `-> #${view.getBigUint64(InHeader.at.unique, true)} ${operation?.name ?? `opcode ${opcode}`}` +
    ` node=${view.getBigUint64(InHeader.at.nodeId, true)} uid=${view.getUint32(InHeader.at.uid, true)}` +
    ` gid=${view.getUint32(InHeader.at.gid, true)} pid=${view.getUint32(InHeader.at.pid, true)}`;
  if (!operation) return `${header} ${message.length - InHeader.bytes} bytes`;
  const parts = [header];
  let at = InHeader.bytes;
  if (operation.request) {
    parts.push(printStruct(operation.request, view, at));
    at += operation.request.bytes;
  }
  return [...parts, ...printTail(operation, message, Math.min(at, message.length))].join(' ');
}

function printTail(operation: Operation, message: Uint8Array, at: number): string[] {
  switch (operation.tail) {
    case 'nothing':
      return [];
    case 'name':
      return namesAt(message, at, 1);
    case 'two names':
      return namesAt(message, at, 2);
    case 'name and bytes': {
      const zero = message.indexOf(0, at);
      return [...namesAt(message, at, 1), `${zero < 0 ? 0 : message.length - zero - 1} bytes`];
    }
    case 'forgets':
      return structsAt(ForgetOne, message, at);
    default:
      return [`${message.length - at} bytes`];
  }
}

function namesAt(message: Uint8Array, at: number, count: number): string[] {
  const names: string[] = [];
  for (let found = 0; found < count; found += 1) {
    const zero = message.indexOf(0, at);
    const end = zero < 0 ? message.length : zero;
    names.push(quoted(message.subarray(at, end)));
    at = Math.min(end + 1, message.length);
  }
  return names;
}

/** Prints the structs of one kind that fill the message from `at` on: the first few, then dots. */
function structsAt(struct: Struct, message: Uint8Array, at: number): string[] {
  const view = viewOf(message);
  const parts: string[] = [];
  for (; at + struct.bytes <= message.length; at += struct.bytes) {
    if (parts.length < SHOWN) parts.push(printStruct(struct, view, at));
    else if (parts.length === SHOWN) parts.push('...');
  }
  return parts;
}

/** Prints a reply or notification in one line. `request` is the message that a reply answers. */
export function printReply(reply: Uint8Array, request?: Uint8Array): string {
  const view = viewOf(reply);
  if (reply.length < OutHeader.bytes) return `<- short message of ${reply.length} bytes`;
  const unique = view.getBigUint64(OutHeader.at.unique, true);
  const error = view.getInt32(OutHeader.at.error, true);
  if (unique === 0n) return printNotification(reply, error);
  const opcode = request && request.length >= 8 ? viewOf(request).getUint32(InHeader.at.opcode, true) : 0;
  const operation = operationOf(opcode);
  const header = `<- #${unique} ${operation?.name ?? ''}`.trimEnd();
  if (error !== 0) return `${header} ${codeOf(-error)}`;
  const body = operation ? printBody(operation, reply) : `${reply.length - OutHeader.bytes} bytes`;
  return body === '' ? `${header} ok` : `${header} ${body}`;
}

function printBody(operation: Operation, reply: Uint8Array): string {
  const view = viewOf(reply);
  const at = OutHeader.bytes;
  const bytes = reply.length - at;
  switch (operation.reply) {
    case 'nothing':
    case 'never':
      return bytes === 0 ? '' : `${bytes} bytes`;
    case 'bytes':
      return `${bytes} bytes`;
    case 'text':
      return quoted(reply.subarray(at));
    case 'sized':
      return bytes === GetxattrOut.bytes
        ? `${bytes} bytes, or ${printStruct(GetxattrOut, view, at)}`
        : `${bytes} bytes`;
    case 'names':
      return printNames(reply, Dirent.bytes);
    case 'names plus':
      return printNames(reply, DirentPlus.bytes);
    default:
      return printStruct(operation.reply, view, at);
  }
}

function printNames(reply: Uint8Array, fixedBytes: number): string {
  const view = viewOf(reply);
  const parts: string[] = [];
  let count = 0;
  for (let at = OutHeader.bytes; at + fixedBytes <= reply.length; count += 1) {
    const dirent = at + fixedBytes - Dirent.bytes;
    const nameLength = view.getUint32(dirent + Dirent.at.nameLength, true);
    if (parts.length < SHOWN) {
      const name = quoted(reply.subarray(at + fixedBytes, at + fixedBytes + nameLength));
      const node =
        fixedBytes > Dirent.bytes ? ` node=${view.getBigUint64(at + EntryOut.at.nodeId, true)}` : '';
      parts.push(`${name}${node}`);
    }
    at += Math.ceil((fixedBytes + nameLength) / 8) * 8;
  }
  return `${count} names${parts.length > 0 ? `: ${parts.join(', ')}` : ''}${count > SHOWN ? ', ...' : ''}`;
}

function printNotification(message: Uint8Array, code: number): string {
  const kind = notifications.find((row) => row.code === code);
  if (!kind) return `<- notification ${code} of ${message.length} bytes`;
  const at = OutHeader.bytes;
  const tailAt = at + kind.struct.bytes;
  const parts = [`<- notify ${kind.name} ${printStruct(kind.struct, viewOf(message), at)}`];
  if (kind.tail === 'name') parts.push(...namesAt(message, tailAt, 1));
  if (kind.tail === 'extents') parts.push(...structsAt(FuseExtent, message, tailAt));
  return parts.join(' ');
}

/** Prints the argument of the ioctl BACKING_CREATE, and its result: 0 or an errno. */
export function printBackingCreate(argument: Uint8Array, errno: number): string {
  const result = errno === 0 ? 'ok' : codeOf(errno);
  return `<- ioctl BACKING_CREATE ${printStruct(BackingCreateIn, viewOf(argument))} ${result}`;
}

function quoted(bytes: Uint8Array): string {
  const cut = bytes.length > SHOWN_BYTES;
  return (
    JSON.stringify(Buffer.from(cut ? bytes.subarray(0, SHOWN_BYTES) : bytes).toString('utf8')) +
    (cut ? '...' : '')
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
