/** What rm, mv, truncate and compact have in common. */

/** Options of commands that rewrite a file system at rest. */
export const atRest: readonly (readonly [string, string])[] = [
  ['--others-are-gone', 'no other host has it mounted (needed where other hosts can reach the memory)'],
  ['-n, --dry-run', 'check everything and tell what would be freed; write nothing'],
];

/** The end of their explanations. */
export const AT_REST =
  'Works at rest: for the host that owns the file system, while nobody else of this host has the device open (EBUSY names them). Other ' +
  'hosts cannot be asked; on a dax device you say that they are gone. The file system gets a new uuid, so what anybody still has mounted of ' +
  'it fails with ESTALE. Cut short at any moment it is done or not done: the next mount of the owner sees to it.';
