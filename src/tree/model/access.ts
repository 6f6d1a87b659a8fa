/** The checks of open(2) on an attribute: the caller against the mode bits, then whether the attribute has the method. */
import { fail } from '../../libc/index.js';
import { type AttributeNode, modeOf, type SysfsNode } from './node.js';

/** The user who makes a call. Everything in the tree belongs to root:root. */
export interface Caller {
  /** 0 passes every mode check. */
  readonly uid: number;
}

export const ROOT: Caller = { uid: 0 };

/** What an attribute is opened for. */
export type AccessMode = 'read' | 'write';

/**
 * open(2) of an attribute. Root passes the mode checks, but a missing method is EACCES for root too.
 * @throws DaxError EISDIR, ELOOP (a link), EACCES
 */
export function openAttribute(
  node: SysfsNode,
  access: AccessMode,
  caller: Caller,
  path: string,
): AttributeNode {
  if (node.type === 'directory') fail('EISDIR', `${path} is a directory`, { path });
  if (node.type === 'link') fail('ELOOP', `${path} is a link`, { path });
  if (!modeAllows(node, access, caller)) {
    fail('EACCES', `${path} may not be opened to ${access} by uid ${caller.uid}`, { path });
  }
  const method = access === 'read' ? node.show : node.store;
  if (method === undefined)
    fail('EACCES', `${path} cannot be ${access === 'read' ? 'read' : 'written'}`, { path });
  return node;
}

function modeAllows(node: SysfsNode, access: AccessMode, caller: Caller): boolean {
  if (caller.uid === 0) return true;
  return (modeOf(node) & (access === 'read' ? 0o004 : 0o002)) !== 0;
}
