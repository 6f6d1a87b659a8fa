/** The walk along a path in an attribute tree: components, links, `..`, by the rules of the kernel's path lookup. */
import { fail } from '../../libc/index.js';
import type { DirectoryNode, SysfsNode } from './node.js';

/** The most links that a lookup follows before ELOOP, as the kernel's MAXSYMLINKS. */
const MAX_LINKS = 40;

export interface Found {
  node: SysfsNode;
  /** Path from the root with links resolved, `bus/dax`; '' is the root. */
  physical: string;
}

interface Step {
  name: string;
  node: SysfsNode;
}

/**
 * Finds a path below `root`. A leading slash, `.` and `..` have their usual meaning; `..` of the root is the root.
 * @param followLast whether a link as the last component is followed (stat) or not (lstat, readlink)
 * @throws DaxError ENOENT, ENOTDIR, ELOOP
 */
export function walk(root: DirectoryNode, path: string, followLast: boolean): Found {
  const stack: Step[] = [];
  const pending = componentsOf(path).reverse();
  // A trailing slash means a directory, so a link before it is followed.
  const followEnd = followLast || path.endsWith('/');
  let links = 0;
  for (;;) {
    const name = pending.pop();
    if (name === undefined) break;
    if (name === '..') {
      stack.pop();
      continue;
    }
    const node = childOf(stack.at(-1)?.node ?? root, name, path);
    if (node.type !== 'link' || (pending.length === 0 && !followEnd)) {
      stack.push({ name, node });
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) fail('ELOOP', `too many links on the way to ${path}`, { path });
    if (node.target.startsWith('/')) stack.length = 0;
    pending.push(...componentsOf(node.target).reverse());
  }
  return { node: stack.at(-1)?.node ?? root, physical: stack.map((step) => step.name).join('/') };
}

function componentsOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function childOf(node: SysfsNode, name: string, path: string): SysfsNode {
  if (node.type !== 'directory')
    fail('ENOTDIR', `a part of ${path} before ${name} is not a directory`, { path });
  const child = node.child(name);
  if (child === undefined) fail('ENOENT', `there is no ${name} on the way to ${path}`, { path });
  return child;
}

/** The target of a link in directory `fromDirectory` to `to`, both without links: `../../bus/dax`. */
export function relativeTarget(fromDirectory: string, to: string): string {
  const up = fromDirectory === '' ? 0 : fromDirectory.split('/').length;
  return '../'.repeat(up) + to;
}
