/** Paths in an attribute tree: components, links, `..`; the rules of path_lookup. */
import { fail } from '../../libc/index.js';
import type { DirectoryNode, SysfsNode } from './node.js';

/** Links a lookup follows before ELOOP, as the kernel's MAXSYMLINKS. */
const MAX_LINKS = 40;

export interface Found {
  node: SysfsNode;
  /** Path from the root without links, `bus/dax`; '' is the root. */
  physical: string;
}

interface Step {
  name: string;
  node: SysfsNode;
}

/**
 * Finds a path below `root`. A leading slash, `.` and `..` are taken as usual; `..` above the root stays there.
 * @param followLast whether a link in the last place is followed (stat) or not (lstat, readlink)
 * @throws DaxError ENOENT, ENOTDIR, ELOOP
 */
export function walk(root: DirectoryNode, path: string, followLast: boolean): Found {
  const stack: Step[] = [];
  const pending = componentsOf(path).reverse();
  // A trailing slash asks for a directory, so the link before it is followed.
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

/** The target of a link in `fromDirectory` to `to`, both physical paths: `../../bus/dax`. */
export function relativeTarget(fromDirectory: string, to: string): string {
  const up = fromDirectory === '' ? 0 : fromDirectory.split('/').length;
  return '../'.repeat(up) + to;
}
