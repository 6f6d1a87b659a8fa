import { type Fmap, filePieces } from '../../../famfs/index.js';
import type { FuseBackings, FuseMapExtent, NodeId } from '../../../fuse/index.js';
import { DaxError, fail } from '../../../libc/index.js';

/** The id by which the kernel knows the device of a mount. Maps have the ids of their nodes, which are far below. */
export const DEVICE_ID = 0xda00000000000001n;
/** What one BACKING_MAP can say. */
const MOST_EXTENTS = 1365;
const PAGE_BYTES = 4096;

/** The extents of a file for the kernel, or why it cannot have them. */
export type MapOrReason = { readonly extents: readonly FuseMapExtent[] } | { readonly why: string };

export interface DeviceBounds {
  /** Where files may begin: behind superblock and log. */
  readonly dataStart: number;
  /** Bytes. */
  readonly size: number;
}

/**
 * The map of a file. The kernel takes striped maps too, but no header was readable that says how, so they are unrolled. It takes
 * extents beyond the device without a word, and fails the accesses: so bounds are checked here.
 */
export function mapOf(fmap: Fmap, fileBytes: number, { dataStart, size }: DeviceBounds): MapOrReason {
  const pieces = filePieces(fmap, fileBytes, MOST_EXTENTS);
  if (pieces === null) return { why: `it has more than ${MOST_EXTENTS} pieces, and one map holds no more` };
  const end = pieces.reduce((sum, { length }) => sum + length, 0);
  if (end < fileBytes) return { why: `its extents end at byte ${end} of ${fileBytes}` };
  for (const { devindex, address, offset, length } of pieces) {
    if (devindex !== 0) return { why: `part of it lies on device ${devindex}` };
    if ([address, offset, length].some((value) => value % PAGE_BYTES !== 0))
      return { why: `the piece at device offset ${address} is no multiple of ${PAGE_BYTES} bytes` };
    if (address < dataStart) return { why: `it lies over the superblock or log (device offset ${address})` };
    if (address + length > size)
      return { why: `it ends at device offset ${address + length}, past the device's end at ${size}` };
  }
  return { extents: pieces.map(({ offset, length, address }) => ({ offset, length, address })) };
}

interface OpenMap {
  readonly extents: readonly FuseMapExtent[];
  opens: number;
}

/**
 * The maps that the kernel has: one a node, from its first open to the RELEASE of its last one. Each OPEN is counted: a second map of
 * the id would be EEXIST, and a removal before the last RELEASE would fail an open that the kernel is still working on.
 */
export class ExtentMaps {
  readonly #backings: FuseBackings;
  readonly #open = new Map<number, OpenMap>();
  /** The last map of each node that the kernel still knows, as text: its inode may remember pages of it. */
  readonly #last = new Map<number, string>();

  constructor(backings: FuseBackings) {
    this.#backings = backings;
  }

  /**
   * Counts one open of a node.
   * @returns the id for the answer to OPEN
   * @throws DaxError EIO the kernel refused the map; EBUSY the node is open by another map
   */
  open(node: NodeId, extents: readonly FuseMapExtent[]): number {
    const known = this.#open.get(node);
    const text = textOf(extents);
    if (known !== undefined) {
      if (textOf(known.extents) !== text)
        fail('EBUSY', `node ${node} is open with other extents: the kernel keeps one map an inode`);
      known.opens++;
      return node;
    }
    const last = this.#last.get(node);
    // The inode remembers the pages of the map before: accesses to them would be SIGBUS.
    if (last !== undefined && last !== text) this.#backings.invalidate(node);
    this.#map(node, extents);
    this.#open.set(node, { extents, opens: 1 });
    this.#last.set(node, text);
    return node;
  }

  #map(node: NodeId, extents: readonly FuseMapExtent[]): void {
    try {
      this.#backings.map(node, DEVICE_ID, extents);
    } catch (error) {
      if (!(error instanceof DaxError)) throw error;
      throw new DaxError('EIO', `${error.message} (${error.code})`, { cause: error });
    }
  }

  /** Ends one open: the kernel sent RELEASE, so descriptor and mappings are gone. */
  close(node: NodeId): void {
    const known = this.#open.get(node);
    if (known === undefined || --known.opens > 0) return;
    this.#open.delete(node);
    this.#backings.remove(node);
  }

  /** The kernel dropped the inode, and with it what it remembered. */
  forget(node: NodeId): void {
    this.#last.delete(node);
  }
}

function textOf(extents: readonly FuseMapExtent[]): string {
  return extents.map(({ offset, length, address }) => `${offset}+${length}@${address}`).join(' ');
}
