import {
  accessMask,
  attributeFlags,
  backingMapFlags,
  entryNotifyFlags,
  fsyncFlags,
  getattrFlags,
  initFlags,
  initFlagsHigh,
  ioctlFlags,
  lockFlags,
  openedFlags,
  openFlags,
  openInFlags,
  readFlags,
  releaseFlags,
  renameFlags,
  setattrValid,
  writeFlags,
} from './flags.js';
import { struct } from './struct.js';

/** The structs of the FUSE protocol 7.47. Struct names are the kernel's; field names are those of udax. */

export const InHeader = struct('fuse_in_header', {
  length: 'u32',
  opcode: 'u32',
  unique: 'u64',
  nodeId: 'u64',
  uid: 'u32',
  gid: 'u32',
  pid: 'u32',
  extensionUnits: 'u16',
  padding: 'u16',
});
export const OutHeader = struct('fuse_out_header', { length: 'u32', error: 'i32', unique: 'u64' });

export const Attr = struct('fuse_attr', {
  inode: 'u64',
  size: 'u64',
  blocks: 'u64',
  atime: 'i64',
  mtime: 'i64',
  ctime: 'i64',
  atimeNanoseconds: 'u32',
  mtimeNanoseconds: 'u32',
  ctimeNanoseconds: 'u32',
  mode: 'u32',
  links: 'u32',
  uid: 'u32',
  gid: 'u32',
  rdev: 'u32',
  blockSize: 'u32',
  flags: { scalar: 'u32', flags: attributeFlags },
});

export const EntryOut = struct('fuse_entry_out', {
  nodeId: 'u64',
  generation: 'u64',
  entryValid: 'u64',
  attributeValid: 'u64',
  entryValidNanoseconds: 'u32',
  attributeValidNanoseconds: 'u32',
  attributes: Attr,
});
export const ForgetIn = struct('fuse_forget_in', { lookups: 'u64' });
export const ForgetOne = struct('fuse_forget_one', { nodeId: 'u64', lookups: 'u64' });
export const BatchForgetIn = struct('fuse_batch_forget_in', { count: 'u32', padding: 'u32' });

export const GetattrIn = struct('fuse_getattr_in', {
  flags: { scalar: 'u32', flags: getattrFlags },
  padding: 'u32',
  handle: 'u64',
});
export const AttrOut = struct('fuse_attr_out', {
  attributeValid: 'u64',
  attributeValidNanoseconds: 'u32',
  padding: 'u32',
  attributes: Attr,
});
export const SetattrIn = struct('fuse_setattr_in', {
  valid: { scalar: 'u32', flags: setattrValid },
  padding: 'u32',
  handle: 'u64',
  size: 'u64',
  lockOwner: 'u64',
  atime: 'i64',
  mtime: 'i64',
  ctime: 'i64',
  atimeNanoseconds: 'u32',
  mtimeNanoseconds: 'u32',
  ctimeNanoseconds: 'u32',
  mode: 'u32',
  padding4: 'u32',
  uid: 'u32',
  gid: 'u32',
  padding5: 'u32',
});
export const StatxIn = struct('fuse_statx_in', {
  flags: { scalar: 'u32', flags: getattrFlags },
  padding: 'u32',
  handle: 'u64',
  statxFlags: 'u32',
  statxMask: 'u32',
});

export const MknodIn = struct('fuse_mknod_in', { mode: 'u32', rdev: 'u32', umask: 'u32', padding: 'u32' });
export const MkdirIn = struct('fuse_mkdir_in', { mode: 'u32', umask: 'u32' });
export const RenameIn = struct('fuse_rename_in', { newParent: 'u64' });
export const Rename2In = struct('fuse_rename2_in', {
  newParent: 'u64',
  flags: { scalar: 'u32', flags: renameFlags },
  padding: 'u32',
});
export const LinkIn = struct('fuse_link_in', { oldNodeId: 'u64' });

export const OpenIn = struct('fuse_open_in', {
  flags: { scalar: 'u32', flags: openFlags },
  openFlags: { scalar: 'u32', flags: openInFlags },
});
export const CreateIn = struct('fuse_create_in', {
  flags: { scalar: 'u32', flags: openFlags },
  mode: 'u32',
  umask: 'u32',
  openFlags: { scalar: 'u32', flags: openInFlags },
});
export const OpenOut = struct('fuse_open_out', {
  handle: 'u64',
  openFlags: { scalar: 'u32', flags: openedFlags },
  backingId: 'i32',
  backingId64: 'u64',
});
/** Without the last field: the only form that a connection without PASSTHROUGH_V2 accepts. */
export const OPEN_OUT_SHORT_BYTES = 16;
export const CreateOut = struct('fuse_entry_out + fuse_open_out', { entry: EntryOut, opened: OpenOut });
export const ReleaseIn = struct('fuse_release_in', {
  handle: 'u64',
  flags: { scalar: 'u32', flags: openFlags },
  releaseFlags: { scalar: 'u32', flags: releaseFlags },
  lockOwner: 'u64',
});
export const FlushIn = struct('fuse_flush_in', {
  handle: 'u64',
  unused: 'u32',
  padding: 'u32',
  lockOwner: 'u64',
});
export const ReadIn = struct('fuse_read_in', {
  handle: 'u64',
  offset: 'u64',
  size: 'u32',
  readFlags: { scalar: 'u32', flags: readFlags },
  lockOwner: 'u64',
  flags: { scalar: 'u32', flags: openFlags },
  padding: 'u32',
});
export const WriteIn = struct('fuse_write_in', {
  handle: 'u64',
  offset: 'u64',
  size: 'u32',
  writeFlags: { scalar: 'u32', flags: writeFlags },
  lockOwner: 'u64',
  flags: { scalar: 'u32', flags: openFlags },
  padding: 'u32',
});
export const WriteOut = struct('fuse_write_out', { size: 'u32', padding: 'u32' });
export const FsyncIn = struct('fuse_fsync_in', {
  handle: 'u64',
  fsyncFlags: { scalar: 'u32', flags: fsyncFlags },
  padding: 'u32',
});
export const FallocateIn = struct('fuse_fallocate_in', {
  handle: 'u64',
  offset: 'u64',
  length: 'u64',
  mode: 'u32',
  padding: 'u32',
});
export const LseekIn = struct('fuse_lseek_in', {
  handle: 'u64',
  offset: 'u64',
  whence: 'u32',
  padding: 'u32',
});
export const LseekOut = struct('fuse_lseek_out', { offset: 'u64' });
export const CopyFileRangeIn = struct('fuse_copy_file_range_in', {
  handleIn: 'u64',
  offsetIn: 'u64',
  nodeIdOut: 'u64',
  handleOut: 'u64',
  offsetOut: 'u64',
  length: 'u64',
  flags: 'u64',
});
export const CopyFileRangeOut = struct('fuse_copy_file_range_out', { bytesCopied: 'u64' });

export const StatfsOut = struct('fuse_kstatfs', {
  blocks: 'u64',
  freeBlocks: 'u64',
  availableBlocks: 'u64',
  files: 'u64',
  freeFiles: 'u64',
  blockSize: 'u32',
  nameLength: 'u32',
  fragmentSize: 'u32',
  padding: 'u32',
  unused0: 'u64',
  unused1: 'u64',
  unused2: 'u64',
});

/** The struct without the SETXATTR_EXT capability, which is not requested. With it the struct has 8 more bytes. */
export const SetxattrIn = struct('fuse_setxattr_in', { size: 'u32', flags: 'u32' });
export const GetxattrIn = struct('fuse_getxattr_in', { size: 'u32', padding: 'u32' });
export const GetxattrOut = struct('fuse_getxattr_out', { size: 'u32', padding: 'u32' });
export const AccessIn = struct('fuse_access_in', {
  mask: { scalar: 'u32', flags: accessMask },
  padding: 'u32',
});

export const FileLock = struct('fuse_file_lock', { start: 'u64', end: 'u64', type: 'u32', pid: 'u32' });
export const LockIn = struct('fuse_lk_in', {
  handle: 'u64',
  owner: 'u64',
  lock: FileLock,
  lockFlags: { scalar: 'u32', flags: lockFlags },
  padding: 'u32',
});
export const LockOut = struct('fuse_lk_out', { lock: FileLock });

/** Kernels before 7.36 send only the first 16 bytes. */
export const InitIn = struct('fuse_init_in', {
  major: 'u32',
  minor: 'u32',
  maxReadahead: 'u32',
  flags: { scalar: 'u32', flags: initFlags },
  flags2: { scalar: 'u32', flags: initFlagsHigh },
  padding: 'u32',
  unused0: 'u64',
  unused1: 'u64',
  unused2: 'u64',
  unused3: 'u64',
  unused4: 'u64',
});
export const INIT_IN_SHORT_BYTES = 16;
export const InitOut = struct('fuse_init_out', {
  major: 'u32',
  minor: 'u32',
  maxReadahead: 'u32',
  flags: { scalar: 'u32', flags: initFlags },
  maxBackground: 'u16',
  congestionThreshold: 'u16',
  maxWrite: 'u32',
  timeGranularity: 'u32',
  maxPages: 'u16',
  mapAlignment: 'u16',
  flags2: { scalar: 'u32', flags: initFlagsHigh },
  maxStackDepth: 'u32',
  requestTimeout: 'u16',
  unused0: 'u16',
  unused1: 'u32',
  unused2: 'u64',
  unused3: 'u64',
});

export const InterruptIn = struct('fuse_interrupt_in', { unique: 'u64' });
export const BmapIn = struct('fuse_bmap_in', { block: 'u64', blockSize: 'u32', padding: 'u32' });
export const BmapOut = struct('fuse_bmap_out', { block: 'u64' });
export const IoctlIn = struct('fuse_ioctl_in', {
  handle: 'u64',
  flags: { scalar: 'u32', flags: ioctlFlags },
  command: 'u32',
  argument: 'u64',
  inSize: 'u32',
  outSize: 'u32',
});
export const IoctlOut = struct('fuse_ioctl_out', {
  result: 'i32',
  flags: { scalar: 'u32', flags: ioctlFlags },
  inIovecs: 'u32',
  outIovecs: 'u32',
});
export const PollIn = struct('fuse_poll_in', {
  handle: 'u64',
  pollHandle: 'u64',
  flags: 'u32',
  events: 'u32',
});
export const PollOut = struct('fuse_poll_out', { revents: 'u32', padding: 'u32' });
export const SetupmappingIn = struct('fuse_setupmapping_in', {
  handle: 'u64',
  fileOffset: 'u64',
  length: 'u64',
  flags: 'u64',
  memoryOffset: 'u64',
});
export const RemovemappingIn = struct('fuse_removemapping_in', { count: 'u32' });
export const SyncfsIn = struct('fuse_syncfs_in', { padding: 'u64' });

/** The head of a name in a READDIR answer. The name follows it, padded to 8 bytes. READDIRPLUS puts an entry before it. */
export const Dirent = struct('fuse_dirent', {
  inode: 'u64',
  next: 'u64',
  nameLength: 'u32',
  type: 'u32',
});
export const DirentPlus = struct('fuse_direntplus', { entry: EntryOut, dirent: Dirent });

export const NotifyInvalInode = struct('fuse_notify_inval_inode_out', {
  nodeId: 'u64',
  offset: 'i64',
  length: 'i64',
});
export const NotifyInvalEntry = struct('fuse_notify_inval_entry_out', {
  parent: 'u64',
  nameLength: 'u32',
  flags: { scalar: 'u32', flags: entryNotifyFlags },
});
export const NotifyDelete = struct('fuse_notify_delete_out', {
  parent: 'u64',
  child: 'u64',
  nameLength: 'u32',
  padding: 'u32',
});

/** The argument of the ioctl FUSE_DEV_IOC_BACKING_CREATE. */
export const BackingCreateIn = struct('fuse_backing_create_in', {
  fd: 'u32',
  padding: 'u32',
  backingId: 'u64',
  unused0: 'u64',
  unused1: 'u64',
});
export const NotifyBackingRemove = struct('fuse_notify_backing_remove_out', {
  backingId: 'u64',
  unused: 'u64',
});
export const NotifyBackingMap = struct('fuse_notify_backing_map_out', {
  backingId: 'u64',
  extentCount: 'u32',
  flags: { scalar: 'u32', flags: backingMapFlags },
  unused0: 'u64',
  unused1: 'u64',
});
/** One extent behind a NotifyBackingMap: bytes of the file at `offset` lie at `address` of the device `backingId`. */
export const FuseExtent = struct('fuse_extent', {
  offset: 'u64',
  length: 'u64',
  backingId: 'u64',
  address: 'u64',
  unused0: 'u64',
  unused1: 'u64',
});
