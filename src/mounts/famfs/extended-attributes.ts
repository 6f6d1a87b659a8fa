import type { Fmap, Volume } from '../../famfs/index.js';
import type { NodeId } from '../../fuse/index.js';
import { DaxError, fail } from '../../libc/index.js';
import { MEMORY_ATTRIBUTE, memoryAttribute } from './memory-attribute.js';
import type { Names } from './names.js';

const USER = 'user.';
const PREFIX = 'user.famfs.';
/** The flags of setxattr(2). */
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

/** What the attributes `user.famfs.*` of an inode describe: where its bytes are. What is in the making has no fmap. */
interface Described {
  readonly device: string;
  readonly uuid: string;
  readonly fmap: Fmap | null;
}

type Row = readonly [name: string, value: (described: Described) => string | null];

const interleaved = (fmap: Fmap | null) => (fmap?.type === 'interleaved' ? fmap : null);

/** One row an attribute. A value of null means that the inode does not have it. */
const ATTRIBUTES: readonly Row[] = [
  ['device', ({ device }) => device],
  ['uuid', ({ uuid }) => uuid],
  ['type', ({ fmap }) => fmap?.type ?? null],
  // devindex:offset+length, in file order (interleaved: in strip order), as numbers that C's strtoull reads.
  ['extents', ({ fmap }) => fmap?.extents.map(extentText).join(' ') ?? null],
  ['nstrips', ({ fmap }) => interleaved(fmap)?.nstrips.toString() ?? null],
  ['chunk_size', ({ fmap }) => interleaved(fmap)?.chunkSize.toString() ?? null],
];

function extentText({ devindex, offset, length }: Fmap['extents'][number]): string {
  return `${devindex}:0x${offset.toString(16)}+0x${length.toString(16)}`;
}

/** One error object for all calls: `ls -l` asks for the ACL of every file, and a stack trace would cost more than the answer. */
const NO_DATA = new DaxError('ENODATA', 'there is no extended attribute of this name');

/** The extended attributes of a mount: `user.famfs.*` tell where a file is, the other `user.*` are what programs have set. */
export class ExtendedAttributes {
  readonly #volume: Volume;
  readonly #names: Names;
  readonly #hasAnnex: boolean;

  /** @param hasAnnex whether attributes can be set */
  constructor(volume: Volume, names: Names, hasAnnex: boolean) {
    this.#volume = volume;
    this.#names = names;
    this.#hasAnnex = hasAnnex;
  }

  /** @throws DaxError ENODATA */
  get(node: NodeId, name: string): Uint8Array {
    if (!name.startsWith(USER)) throw NO_DATA;
    if (!name.startsWith(PREFIX)) return this.#ownOf(node, name) ?? noData();
    if (name === MEMORY_ATTRIBUTE) {
      const { ino, made } = this.#names.resolve(node);
      const value = made?.kind === 'directory' ? null : memoryAttribute(this.#volume, made ? null : ino);
      if (value) return value;
    }
    const row = ATTRIBUTES.find(([short]) => PREFIX + short === name);
    return Buffer.from(row?.[1](this.#described(node)) ?? noData());
  }

  list(node: NodeId): string[] {
    const described = this.#described(node);
    const ours = ATTRIBUTES.filter(([, value]) => value(described) !== null).map(([name]) => PREFIX + name);
    const { ino, made } = this.#names.resolve(node);
    return [...ours, ...(ino === null ? made!.xattrs.keys() : this.#volume.inodes.listXattrs(ino))];
  }

  /** @throws DaxError EOPNOTSUPP it is not user.*, or cannot be kept here; EEXIST, ENODATA for the flags */
  set(node: NodeId, name: string, value: Uint8Array, flags: number): void {
    this.#mayChange(name);
    const exists = this.#ownOf(node, name) !== undefined;
    if (exists && (flags & XATTR_CREATE) !== 0) fail('EEXIST', `there is an attribute ${name} already`);
    if (!exists && (flags & XATTR_REPLACE) !== 0) throw NO_DATA;
    const { ino, made } = this.#names.resolve(node);
    const copy = new Uint8Array(value);
    if (ino === null) made!.xattrs.set(name, copy);
    else this.#volume.inodes.setXattr(ino, name, copy);
    this.#changed(node);
  }

  /** @throws DaxError EOPNOTSUPP; ENODATA */
  remove(node: NodeId, name: string): void {
    this.#mayChange(name);
    if (this.#ownOf(node, name) === undefined) throw NO_DATA;
    const { ino, made } = this.#names.resolve(node);
    if (ino === null) made!.xattrs.delete(name);
    else this.#volume.inodes.removeXattr(ino, name);
    this.#changed(node);
  }

  #changed(node: NodeId): void {
    const { ino, made } = this.#names.resolve(node);
    this.#names.attributes.changed(ino ?? node);
    if (made) this.#names.newFiles.touch(made);
    else this.#names.wrote();
  }

  #mayChange(name: string): void {
    if (!name.startsWith(USER) || name.startsWith(PREFIX))
      fail(
        'EOPNOTSUPP',
        `${name} cannot be set: only user.* can, and user.famfs.* only tell where a file is`,
      );
    if (!this.#hasAnnex)
      fail('EOPNOTSUPP', 'this mount shows and keeps what the log says, which has no extended attributes');
  }

  #ownOf(node: NodeId, name: string): Uint8Array | undefined {
    const { ino, made } = this.#names.resolve(node);
    if (ino === null) return made!.xattrs.get(name);
    const { inodes } = this.#volume;
    return inodes.listXattrs(ino).includes(name) ? inodes.getXattr(ino, name) : undefined;
  }

  #described(node: NodeId): Described {
    const { inodes, device, superblock } = this.#volume;
    const { ino, made } = this.#names.resolve(node);
    const hasMap = ino !== null && made === null && inodes.stat(ino).type === 'file';
    const fmap = hasMap && inodes.stat(ino).size > 0 ? inodes.fmap(ino) : null;
    return { device, uuid: superblock.uuid, fmap };
  }
}

function noData(): never {
  throw NO_DATA;
}
