import type { Volume } from '../../src/famfs/index.js';
import type { FuseHost, NodeId } from '../../src/fuse/index.js';
import { FamfsFileSystem } from '../../src/mounts/famfs/file-system.js';
import { initRequest, type Piece, request, Wire } from '../fuse/support/wire.js';

export const ROOT = 1n;
export const O_EXCL = 0o200;
/** Node ids from here on belong to what was made through a mount. */
export const FIRST_NEW = 2n ** 40n;

export interface Entry {
  /** 0, or a negative errno. */
  error: number;
  /** 0: the kernel remembers that the name is missing. */
  node: bigint;
  inode: bigint;
  size: bigint;
}

/**
 * A famfs as the kernel sees it, through the bytes of /dev/fuse, over a real volume, but without a mount. All requests come from
 * uid 1000.
 */
export class FamfsWire {
  readonly fileSystem: FamfsFileSystem;
  readonly wire: Wire;
  /** Nodes whose pages the kernel was told to drop. */
  readonly droppedPages: NodeId[] = [];
  readonly reports: unknown[] = [];
  readonly droppedNames: string[] = [];

  constructor(
    volume: Volume,
    { settleMilliseconds = 600_000, xattrs = true, plain = false, init = initRequest } = {},
  ) {
    const host: FuseHost = {
      mountpoint: '/nowhere',
      invalidateInode: (node) => void this.droppedPages.push(node),
      invalidateEntry: (_parent, name) => this.droppedNames.push(name),
      writeLater: () => {},
      post: () => {},
      report: (error) => this.reports.push(error),
    };
    const times = { seconds: 1, nanoseconds: 0 };
    this.fileSystem = new FamfsFileSystem(volume, host, () => {}, {
      times,
      settleMilliseconds,
      xattrs,
      plain,
    });
    this.wire = new Wire(this.fileSystem, { initialized: false });
    this.wire.send(init);
  }

  /** The reply without its header. */
  ask(opcode: number, node: bigint, ...body: Piece[]): { error: number; body: DataView } {
    const reply = this.wire.send(request(opcode, 4n, node, ...body))!;
    const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
    return { error: view.getInt32(4, true), body: new DataView(reply.buffer, reply.byteOffset + 16) };
  }

  /** The errno of a request whose answer has nothing else. */
  errorOf(opcode: number, node: bigint, ...body: Piece[]): number {
    return this.ask(opcode, node, ...body).error;
  }

  #entry(opcode: number, node: bigint, ...body: Piece[]): Entry & { handle: bigint } {
    const answer = this.ask(opcode, node, ...body);
    if (answer.error !== 0) return { error: answer.error, node: 0n, inode: 0n, size: 0n, handle: 0n };
    const word = (at: number) => answer.body.getBigUint64(at, true);
    return {
      error: 0,
      node: word(0),
      inode: word(40),
      size: word(48),
      handle: opcode === 35 ? word(128) : 0n,
    };
  }

  lookup(parent: bigint, name: string): Entry {
    return this.#entry(1, parent, ['text', `${name}\0`]);
  }

  getattr(node: bigint): { error: number; size: bigint; mode: number } {
    const { error, body } = this.ask(3, node, ['u32', 0], ['u32', 0], ['u64', 0n]);
    if (error !== 0) return { error, size: 0n, mode: 0 };
    return { error, size: body.getBigUint64(24, true), mode: body.getUint32(76, true) };
  }

  mkdir(parent: bigint, name: string, mode = 0o755): Entry {
    return this.#entry(9, parent, ['u32', mode], ['u32', 0], ['text', `${name}\0`]);
  }

  create(parent: bigint, name: string, { flags = 2, mode = 0o644 } = {}): Entry & { handle: bigint } {
    return this.#entry(
      35,
      parent,
      ['u32', flags],
      ['u32', mode],
      ['u32', 0],
      ['u32', 0],
      ['text', `${name}\0`],
    );
  }

  open(node: bigint, flags = 0): { error: number; handle: bigint; openFlags: number } {
    const { error, body } = this.ask(14, node, ['u32', flags], ['u32', 0]);
    if (error !== 0) return { error, handle: 0n, openFlags: 0 };
    return { error, handle: body.getBigUint64(0, true), openFlags: body.getUint32(8, true) };
  }

  read(node: bigint, handle: bigint, offset = 0, length = 4096): string {
    const { error, body } = this.ask(
      15,
      node,
      ['u64', handle],
      ['u64', BigInt(offset)],
      ['u32', length],
      ['u32', 0],
      ['u64', 0n],
      ['u64', 0n],
    );
    return error === 0
      ? Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
      : String(error);
  }

  write(node: bigint, handle: bigint, text: string, offset = 0): number {
    return this.errorOf(
      16,
      node,
      ['u64', handle],
      ['u64', BigInt(offset)],
      ['u32', Buffer.byteLength(text)],
      ['u32', 0],
      ['u64', 0n],
      ['u64', 0n],
      ['text', text],
    );
  }

  flush(node: bigint, handle: bigint): number {
    return this.errorOf(25, node, ['u64', handle], ['u64', 0n], ['u64', 0n]);
  }

  release(node: bigint, handle: bigint): number {
    return this.errorOf(18, node, ['u64', handle], ['u32', 0], ['u32', 0], ['u64', 0n]);
  }

  /** The requests that close(2) of the only descriptor causes. */
  close(node: bigint, handle: bigint): number {
    const error = this.flush(node, handle);
    return this.release(node, handle) || error;
  }

  /** open, write, close of a new file. */
  make(parent: bigint, name: string, text: string): Entry {
    const made = this.create(parent, name);
    if (made.error === 0) {
      this.write(made.node, made.handle, text);
      this.close(made.node, made.handle);
    }
    return made;
  }

  rename(parent: bigint, name: string, to: string, flags?: number, newParent = ROOT): number {
    const names = ['text', `${name}\0${to}\0`] as const;
    if (flags === undefined) return this.errorOf(12, parent, ['u64', newParent], names);
    return this.errorOf(45, parent, ['u64', newParent], ['u32', flags], ['u32', 0], names);
  }

  forget(node: bigint, lookups: number): void {
    this.wire.send(request(2, 6n, node, ['u64', BigInt(lookups)]));
  }

  /** Publishes everything that is closed, as `mount.publish()` does. @returns the nodes whose pages the kernel must drop */
  publish(): NodeId[] {
    return this.fileSystem.message('publish') as NodeId[];
  }
}
