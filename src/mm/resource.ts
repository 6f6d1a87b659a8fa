import { fail } from '../libc/index.js';

/** One claimed range of /proc/iomem. `end` is inclusive, as the kernel prints it. */
export interface Resource {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  /** request() puts no children into a busy resource; requestChild() does. */
  readonly busy: boolean;
  readonly parent: Resource | null;
  readonly children: readonly Resource[];
}

export interface ResourceOptions {
  /** Default true. */
  busy?: boolean;
}

interface Node extends Resource {
  parent: Node | null;
  children: Node[];
}

/** /proc/iomem: the claims on physical ranges. Siblings are sorted and never overlap; children lie inside their parent. */
export class ResourceTree {
  readonly #roots: Node[] = [];

  get roots(): readonly Resource[] {
    return this.#roots;
  }

  /**
   * Claims [start, end] (inclusive). Goes down into resources that are not busy.
   * @returns null when a busy resource has a part of it, or when a resource holds only a part of it
   */
  request(start: number, end: number, name: string, options: ResourceOptions = {}): Resource | null {
    if (end < start) return null;
    let parent: Node | null = null;
    for (;;) {
      if (parent !== null && (start < parent.start || end > parent.end)) return null;
      const siblings: Node[] = parent === null ? this.#roots : parent.children;
      const conflict = siblings.find((node) => node.start <= end && node.end >= start);
      if (conflict === undefined) return insert(siblings, parent, start, end, name, options.busy ?? true);
      if (conflict.busy) return null;
      parent = conflict;
    }
  }

  /**
   * Adds a top-level resource that is not busy, around the resources inside it, as the kernel does with firmware's ranges
   * (insert_resource).
   * @returns null when a top-level resource overlaps it and is not wholly inside it
   */
  insert(start: number, end: number, name: string): Resource | null {
    const overlapping = this.#roots.filter((node) => node.start <= end && node.end >= start);
    if (end < start || overlapping.some((node) => node.start < start || node.end > end)) return null;
    for (const node of overlapping) this.#roots.splice(this.#roots.indexOf(node), 1);
    const around = insert(this.#roots, null, start, end, name, false);
    for (const node of overlapping) node.parent = around;
    around.children.push(...overlapping);
    return around;
  }

  /** Removes a resource and puts its children in its place (remove_resource). @throws DaxError EINVAL not in the tree */
  remove(resource: Resource): void {
    const node = resource as Node;
    this.release(node);
    const siblings = node.parent === null ? this.#roots : node.parent.children;
    for (const child of node.children) child.parent = node.parent;
    siblings.push(...node.children.splice(0));
    siblings.sort((a, b) => a.start - b.start);
  }

  /**
   * Claims a part of `parent`, which may be busy, for a busy child (System RAM inside the range of kmem).
   * @returns null when the part is outside the parent, or overlaps another child
   */
  requestChild(parent: Resource, start: number, end: number, name: string): Resource | null {
    const node = parent as Node;
    if (start < node.start || end > node.end || end < start) return null;
    if (node.children.some((child) => child.start <= end && child.end >= start)) return null;
    return insert(node.children, node, start, end, name, true);
  }

  /** Releases a claim with all its children. @throws DaxError EINVAL not in the tree: released twice */
  release(resource: Resource): void {
    const node = resource as Node;
    const siblings = node.parent === null ? this.#roots : node.parent.children;
    const at = siblings.indexOf(node);
    if (at < 0) fail('EINVAL', `resource ${describe(resource)} is not claimed: released twice?`);
    siblings.splice(at, 1);
  }

  /** Lines as /proc/iomem prints them, two spaces a level. Leaves out top-level resources for which `keep` returns false. */
  lines(keep: (resource: Resource) => boolean = () => true): string[] {
    const lines: string[] = [];
    const walk = (nodes: readonly Resource[], indent: string): void => {
      for (const node of nodes) {
        lines.push(`${indent}${describe(node)}`);
        walk(node.children, `${indent}  `);
      }
    };
    walk(this.#roots.filter(keep), '');
    return lines;
  }

  /** Every resource, parents first. */
  *all(nodes: readonly Resource[] = this.#roots): Generator<Resource> {
    for (const node of nodes) {
      yield node;
      yield* this.all(node.children);
    }
  }
}

function insert(
  siblings: Node[],
  parent: Node | null,
  start: number,
  end: number,
  name: string,
  busy: boolean,
): Node {
  const node: Node = { start, end, name, busy, parent, children: [] };
  const at = siblings.findIndex((other) => other.start > start);
  siblings.splice(at < 0 ? siblings.length : at, 0, node);
  return node;
}

function describe(resource: Resource): string {
  const hex = (address: number): string => address.toString(16).padStart(8, '0');
  return `${hex(resource.start)}-${hex(resource.end)} : ${resource.name}`;
}
