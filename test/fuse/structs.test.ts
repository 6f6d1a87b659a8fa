import { describe, expect, it } from 'vitest';
import { operations, structs } from '../../src/fuse/protocol/index.js';
import type { Struct } from '../../src/fuse/protocol/struct.js';

/** Sizes of the wire's structs, protocol 7.47. */
const sizes: Record<string, number> = {
  InHeader: 40,
  OutHeader: 16,
  Attr: 88,
  EntryOut: 128,
  ForgetIn: 8,
  ForgetOne: 16,
  BatchForgetIn: 8,
  GetattrIn: 16,
  AttrOut: 104,
  SetattrIn: 88,
  StatxIn: 24,
  MknodIn: 16,
  MkdirIn: 8,
  RenameIn: 8,
  Rename2In: 16,
  LinkIn: 8,
  OpenIn: 8,
  CreateIn: 16,
  OpenOut: 24,
  CreateOut: 152,
  ReleaseIn: 24,
  FlushIn: 24,
  ReadIn: 40,
  WriteIn: 40,
  WriteOut: 8,
  FsyncIn: 16,
  FallocateIn: 32,
  LseekIn: 24,
  LseekOut: 8,
  CopyFileRangeIn: 56,
  CopyFileRangeOut: 8,
  StatfsOut: 80,
  SetxattrIn: 8,
  GetxattrIn: 8,
  GetxattrOut: 8,
  AccessIn: 8,
  FileLock: 24,
  LockIn: 48,
  LockOut: 24,
  InitIn: 64,
  InitOut: 64,
  InterruptIn: 8,
  BmapIn: 16,
  BmapOut: 8,
  IoctlIn: 32,
  IoctlOut: 16,
  PollIn: 24,
  PollOut: 8,
  SetupmappingIn: 40,
  RemovemappingIn: 4,
  SyncfsIn: 8,
  Dirent: 24,
  DirentPlus: 152,
  NotifyInvalInode: 24,
  NotifyInvalEntry: 16,
  NotifyDelete: 24,
  BackingCreateIn: 32,
  NotifyBackingRemove: 16,
  NotifyBackingMap: 32,
  FuseExtent: 48,
};
const tables = Object.entries(structs).filter(([, value]) => typeof value === 'object') as [string, Struct][];

describe('structs of the wire', () => {
  it('are all in the list of sizes', () => {
    expect(tables.map(([name]) => name).sort()).toEqual(Object.keys(sizes).sort());
  });

  it.each(tables)('%s has its size, and its fields lie without gaps', (name, table) => {
    expect(table.bytes).toBe(sizes[name]);
    for (const field of table.fields) expect(field.offset).toBeLessThan(table.bytes);
  });

  it('have the offsets that the kernel has, where a mistake would hurt most', () => {
    expect(structs.InHeader.at).toEqual({
      length: 0,
      opcode: 4,
      unique: 8,
      nodeId: 16,
      uid: 24,
      gid: 28,
      pid: 32,
      extensionUnits: 36,
      padding: 38,
    });
    expect(structs.InitOut.at).toMatchObject({ maxWrite: 20, timeGranularity: 24, maxPages: 28, flags2: 32 });
    expect(structs.InitOut.at).toMatchObject({ maxStackDepth: 36, requestTimeout: 40 });
    expect(structs.Attr.at).toMatchObject({ size: 8, atime: 24, atimeNanoseconds: 48, mode: 60, flags: 84 });
    expect(structs.SetattrIn.at).toMatchObject({
      handle: 8,
      size: 16,
      atime: 32,
      mode: 68,
      uid: 76,
      gid: 80,
    });
  });
});

describe('operations', () => {
  it('have one row each, by opcode', () => {
    const opcodes = operations.map((operation) => operation.opcode);
    expect(new Set(opcodes).size).toBe(opcodes.length);
    expect(Math.max(...opcodes)).toBe(53);
    for (const [opcode, name] of [
      [1, 'LOOKUP'],
      [15, 'READ'],
      [26, 'INIT'],
      [42, 'BATCH_FORGET'],
      [44, 'READDIRPLUS'],
    ] as const) {
      expect(operations.find((operation) => operation.opcode === opcode)?.name).toBe(name);
    }
  });
});
