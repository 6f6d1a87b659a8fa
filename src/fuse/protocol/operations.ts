import type { Struct } from './struct.js';
import * as S from './structs.js';

/** The part of a request behind its fixed struct. */
export type RequestTail = 'nothing' | 'name' | 'two names' | 'name and bytes' | 'bytes' | 'forgets';

/**
 * The part of a successful answer behind its header. 'nothing': only the header. 'never': there is no answer.
 * 'sized': bytes, or fuse_getxattr_out when the caller asked for the size only.
 */
export type ReplyKind = Struct | 'nothing' | 'never' | 'bytes' | 'text' | 'sized' | 'names' | 'names plus';

export interface Operation {
  readonly opcode: number;
  readonly name: string;
  readonly request: Struct | null;
  readonly tail: RequestTail;
  readonly reply: ReplyKind;
}

/** One row an operation: opcode, name, fixed request struct, request tail, answer. */
const rows = [
  [1, 'LOOKUP', null, 'name', S.EntryOut],
  [2, 'FORGET', S.ForgetIn, 'nothing', 'never'],
  [3, 'GETATTR', S.GetattrIn, 'nothing', S.AttrOut],
  [4, 'SETATTR', S.SetattrIn, 'nothing', S.AttrOut],
  [5, 'READLINK', null, 'nothing', 'text'],
  [6, 'SYMLINK', null, 'two names', S.EntryOut],
  [8, 'MKNOD', S.MknodIn, 'name', S.EntryOut],
  [9, 'MKDIR', S.MkdirIn, 'name', S.EntryOut],
  [10, 'UNLINK', null, 'name', 'nothing'],
  [11, 'RMDIR', null, 'name', 'nothing'],
  [12, 'RENAME', S.RenameIn, 'two names', 'nothing'],
  [13, 'LINK', S.LinkIn, 'name', S.EntryOut],
  [14, 'OPEN', S.OpenIn, 'nothing', S.OpenOut],
  [15, 'READ', S.ReadIn, 'nothing', 'bytes'],
  [16, 'WRITE', S.WriteIn, 'bytes', S.WriteOut],
  [17, 'STATFS', null, 'nothing', S.StatfsOut],
  [18, 'RELEASE', S.ReleaseIn, 'nothing', 'nothing'],
  [20, 'FSYNC', S.FsyncIn, 'nothing', 'nothing'],
  [21, 'SETXATTR', S.SetxattrIn, 'name and bytes', 'nothing'],
  [22, 'GETXATTR', S.GetxattrIn, 'name', 'sized'],
  [23, 'LISTXATTR', S.GetxattrIn, 'nothing', 'sized'],
  [24, 'REMOVEXATTR', null, 'name', 'nothing'],
  [25, 'FLUSH', S.FlushIn, 'nothing', 'nothing'],
  [26, 'INIT', S.InitIn, 'nothing', S.InitOut],
  [27, 'OPENDIR', S.OpenIn, 'nothing', S.OpenOut],
  [28, 'READDIR', S.ReadIn, 'nothing', 'names'],
  [29, 'RELEASEDIR', S.ReleaseIn, 'nothing', 'nothing'],
  [30, 'FSYNCDIR', S.FsyncIn, 'nothing', 'nothing'],
  [31, 'GETLK', S.LockIn, 'nothing', S.LockOut],
  [32, 'SETLK', S.LockIn, 'nothing', 'nothing'],
  [33, 'SETLKW', S.LockIn, 'nothing', 'nothing'],
  [34, 'ACCESS', S.AccessIn, 'nothing', 'nothing'],
  [35, 'CREATE', S.CreateIn, 'name', S.CreateOut],
  [36, 'INTERRUPT', S.InterruptIn, 'nothing', 'never'],
  [37, 'BMAP', S.BmapIn, 'nothing', S.BmapOut],
  [38, 'DESTROY', null, 'nothing', 'nothing'],
  [39, 'IOCTL', S.IoctlIn, 'bytes', S.IoctlOut],
  [40, 'POLL', S.PollIn, 'nothing', S.PollOut],
  [41, 'NOTIFY_REPLY', null, 'bytes', 'never'],
  [42, 'BATCH_FORGET', S.BatchForgetIn, 'forgets', 'never'],
  [43, 'FALLOCATE', S.FallocateIn, 'nothing', 'nothing'],
  [44, 'READDIRPLUS', S.ReadIn, 'nothing', 'names plus'],
  [45, 'RENAME2', S.Rename2In, 'two names', 'nothing'],
  [46, 'LSEEK', S.LseekIn, 'nothing', S.LseekOut],
  [47, 'COPY_FILE_RANGE', S.CopyFileRangeIn, 'nothing', S.WriteOut],
  [48, 'SETUPMAPPING', S.SetupmappingIn, 'nothing', 'nothing'],
  [49, 'REMOVEMAPPING', S.RemovemappingIn, 'bytes', 'nothing'],
  [50, 'SYNCFS', S.SyncfsIn, 'nothing', 'nothing'],
  [51, 'TMPFILE', S.CreateIn, 'nothing', S.CreateOut],
  [52, 'STATX', S.StatxIn, 'nothing', 'bytes'],
  [53, 'COPY_FILE_RANGE_64', S.CopyFileRangeIn, 'nothing', S.CopyFileRangeOut],
] as const satisfies readonly (readonly [number, string, Struct | null, RequestTail, ReplyKind])[];

export type OperationName = (typeof rows)[number][1];

/**
 * Operations that the kernel can do without. It does not send them again after an answer of ENOSYS. For OPEN and OPENDIR every
 * open then succeeds, with the capabilities NO_OPEN_SUPPORT and NO_OPENDIR_SUPPORT.
 */
export const optionalOperations = [
  'OPEN',
  'CREATE',
  'FLUSH',
  'FSYNC',
  'FALLOCATE',
  'LSEEK',
  'OPENDIR',
  'FSYNCDIR',
  'ACCESS',
  'GETXATTR',
  'LISTXATTR',
  'SETXATTR',
  'REMOVEXATTR',
] as const satisfies readonly OperationName[];

/** See optionalOperations. */
export type OptionalOperation = (typeof optionalOperations)[number];

export const operations: readonly Operation[] = rows.map(([opcode, name, request, tail, reply]) => ({
  opcode,
  name,
  request,
  tail,
  reply,
}));

const byOpcode: (Operation | undefined)[] = [];
for (const operation of operations) byOpcode[operation.opcode] = operation;

export function operationOf(opcode: number): Operation | undefined {
  return byOpcode[opcode];
}

export function opcodeOf(name: OperationName): number {
  return operations.find((operation) => operation.name === name)!.opcode;
}

/** Messages that the server sends without a request. They have unique 0, and this code in place of an error. */
export const notifications = [
  { code: 2, name: 'INVAL_INODE', struct: S.NotifyInvalInode, tail: 'nothing' },
  { code: 3, name: 'INVAL_ENTRY', struct: S.NotifyInvalEntry, tail: 'name' },
  { code: 6, name: 'DELETE', struct: S.NotifyDelete, tail: 'name' },
  { code: 10, name: 'BACKING_REMOVE', struct: S.NotifyBackingRemove, tail: 'nothing' },
  { code: 11, name: 'BACKING_MAP', struct: S.NotifyBackingMap, tail: 'extents' },
] as const;
