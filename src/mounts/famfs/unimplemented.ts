import type { OptionalOperation } from '../../fuse/index.js';

/** The operations that a famfs does not implement on a connection. */
export function unimplementedOn(capabilities: readonly string[], xattrs: boolean): OptionalOperation[] {
  const unimplemented: OptionalOperation[] = xattrs
    ? []
    : ['GETXATTR', 'LISTXATTR', 'SETXATTR', 'REMOVEXATTR'];
  // Open directories have no state here. With this answer the kernel opens none, and caches all listings.
  if (capabilities.includes('NO_OPENDIR_SUPPORT')) unimplemented.push('OPENDIR');
  return unimplemented;
}
