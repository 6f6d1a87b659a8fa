import { fail } from '../libc/index.js';
import { type NodeId, ROOT_NODE } from './types.js';

interface Known<T> {
  readonly value: T;
  lookups: number;
}

/**
 * The inodes that the kernel knows, with their lookup counts. Call `remember` for every answer that carries an entry for an
 * inode. The inode leaves the table when the kernel has forgotten as many lookups (`forget`).
 * Ids count upwards and are never used twice, so generations are not needed. The root is always in the table.
 */
export class InodeTable<T> {
  readonly #byNode = new Map<number, Known<T>>();
  readonly #nodes = new Map<T, NodeId>();
  #next = ROOT_NODE + 1;

  constructor(root: T) {
    this.#byNode.set(ROOT_NODE, { value: root, lookups: 1 });
    this.#nodes.set(root, ROOT_NODE);
  }

  /** The number of known inodes, root included. */
  get size(): number {
    return this.#byNode.size;
  }

  /** The value of a node. @throws DaxError ESTALE the kernel was never told of the node, or has forgotten it */
  get(node: NodeId): T {
    const known = this.#byNode.get(node);
    if (known === undefined) fail('ESTALE', `node ${node} is not known here any more`);
    return known.value;
  }

  /** The id by which the kernel knows a value. Undefined: the kernel has nothing cached of it, so nothing needs invalidation. */
  nodeOf(value: T): NodeId | undefined {
    return this.#nodes.get(value);
  }

  /** Counts one more lookup of a value. Returns its id, a new one if the kernel does not know the value. */
  remember(value: T): NodeId {
    const existing = this.#nodes.get(value);
    if (existing !== undefined) {
      this.#byNode.get(existing)!.lookups += 1;
      return existing;
    }
    const node = this.#next++ as NodeId;
    this.#byNode.set(node, { value, lookups: 1 });
    this.#nodes.set(value, node);
    return node;
  }

  lookupsOf(node: NodeId): number {
    return this.#byNode.get(node)?.lookups ?? 0;
  }

  /**
   * Drops `count` lookups of a node.
   * @returns the value when no lookup is left, else undefined
   */
  forget(node: NodeId, count: number): T | undefined {
    const known = this.#byNode.get(node);
    if (known === undefined || node === ROOT_NODE) return undefined;
    known.lookups -= count;
    if (known.lookups > 0) return undefined;
    this.#byNode.delete(node);
    this.#nodes.delete(known.value);
    return known.value;
  }
}
