import { existsSync } from 'node:fs';
import type { FuseAttributes, FuseEntry, NodeId, Timestamp } from '../../../fuse/index.js';
import { S_IFDIR, S_IFREG } from '../../modes.js';

/** Nodes of the files here lie far beyond those of a log, and of files in the making. */
export const FIRST_OWN_NODE = 2 ** 50;
const MODE_OF_DIRECTORY = 0o700;
const MODE_OF_FILE = 0o600;
const FOR_EVER = Number.POSITIVE_INFINITY;

/** A file of the directory `.meta`: bytes of the device. */
export interface OwnFile {
  readonly name: string;
  readonly node: NodeId;
  /** The bytes of the device that it shows. */
  readonly start: number;
  readonly length: number;
  /** Only this process opens it, once; to all others it does not exist. A second mapping of its pages would break the kernel's rules. */
  readonly isPrivate: boolean;
}

/**
 * The directory `.meta` of a zero-copy mount, for root alone and in no listing: superblock and log, as C famfs has them, and the files
 * through which the server itself reaches the device.
 */
export class OwnFiles {
  readonly directory = FIRST_OWN_NODE as NodeId;
  readonly #byName = new Map<string, OwnFile>();
  readonly #byNode = new Map<number, OwnFile>();
  /** Private files that this process is about to open. */
  readonly #expected = new Set<string>();
  readonly #lookups = new Map<number, number>();
  readonly #times: Timestamp = { seconds: 0, nanoseconds: 0 };
  #next = FIRST_OWN_NODE + 1;

  add(name: string, start: number, length: number, isPrivate: boolean): OwnFile {
    const file = { name, node: this.#next++ as NodeId, start, length, isPrivate };
    this.#byName.set(name, file);
    this.#byNode.set(file.node, file);
    if (isPrivate) this.#expected.add(name);
    return file;
  }

  /** The file of that name which this caller may see. @param pid the thread that asks */
  named(name: string, pid: number): OwnFile | undefined {
    const file = this.#byName.get(name);
    return file === undefined || this.#isClosedTo(file, pid) ? undefined : file;
  }

  /** The file of that name, whoever asks. */
  called(name: string): OwnFile | undefined {
    return this.#byName.get(name);
  }

  get(node: NodeId): OwnFile | undefined {
    return this.#byNode.get(node);
  }

  has(node: NodeId): boolean {
    return node >= FIRST_OWN_NODE;
  }

  /** Whether an open(2) is allowed. A private file is opened once. */
  mayOpen(file: OwnFile, pid: number): boolean {
    if (this.#isClosedTo(file, pid)) return false;
    this.#expected.delete(file.name);
    return true;
  }

  #isClosedTo({ name, isPrivate }: OwnFile, pid: number): boolean {
    return isPrivate && !(this.#expected.has(name) && existsSync(`/proc/self/task/${pid}`));
  }

  /** The entry of a file, or of the directory. Counts one lookup. */
  entry(file?: OwnFile): FuseEntry {
    const node = file?.node ?? this.directory;
    this.#lookups.set(node, (this.#lookups.get(node) ?? 0) + 1);
    return {
      node,
      attributes: this.attributesOf(node),
      entrySeconds: FOR_EVER,
      attributeSeconds: FOR_EVER,
    };
  }

  attributesOf(node: NodeId): FuseAttributes {
    const file = this.#byNode.get(node);
    const times = this.#times;
    return {
      inode: node,
      mode: file ? S_IFREG | MODE_OF_FILE : S_IFDIR | MODE_OF_DIRECTORY,
      size: file?.length ?? 0,
      links: 1,
      uid: 0,
      gid: 0,
      atime: times,
      mtime: times,
      ctime: times,
      isDax: file !== undefined,
    };
  }

  /** Handles FORGET. @returns the file, when the kernel does not know it any more */
  forget(node: NodeId, count: number): OwnFile | undefined {
    const left = (this.#lookups.get(node) ?? 0) - count;
    if (left > 0) this.#lookups.set(node, left);
    else this.#lookups.delete(node);
    return left > 0 ? undefined : this.#byNode.get(node);
  }

  remove({ name, node }: OwnFile): void {
    this.#byName.delete(name);
    this.#byNode.delete(node);
    this.#expected.delete(name);
  }
}
