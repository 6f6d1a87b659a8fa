import { fail } from '../libc/index.js';
import { type NodeId, ROOT_NODE } from './types.js';

interface Known<T> {
  readonly value: T;
  lookups: number;
}

/**
 * Which inodes the kernel knows, and by how many lookups. An inode enters with the first answer that carries an
 * entry for it (`remember`, once for every such answer) and leaves when the kernel forgot as many (`forget`).
 * Ids count upwards and are not used twice, so generations are not needed. Root is there from the start and stays.
 */
export class InodeTable<T> {
  readonly #byNode = new Map<number, Known<T>>();
  readonly #nodes = new Map<T, NodeId>();
  #next = ROOT_NODE + 1;

  constructor(root: T) {
    this.#byNode.set(ROOT_NODE, { value: root, lookups: 1 });
    this.#nodes.set(root, ROOT_NODE);
  }

  /** Known inodes, root included. */
  get size(): number {
    return this.#byNode.size;
  }

  /** @throws DaxError ESTALE for a node that the kernel was never told of, or has forgotten */
  get(node: NodeId): T {
    const known = this.#byNode.get(node);
    if (known === undefined) fail('ESTALE', `node ${node} is not known here any more`);
    return known.value;
  }

  /** The id the kernel knows a value by, or undefined: then it has nothing cached that needs invalidation. */
  nodeOf(value: T): NodeId | undefined {
    return this.#nodes.get(value);
  }

  /** Counts one more lookup of a value, and gives its id (a new one if the kernel does not know it). */
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
   * Takes `count` lookups back.
   * @returns the value when that was the last, else undefined
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
