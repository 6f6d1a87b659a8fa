// Behaviours of files and directories in terms of node:fs (see checks.d.mts). After go-fuse's idea of one list that every
// file system has to pass; told once, run on the library, on the mount and on tmpfs.
export { alike } from './alike.mjs';
export { changes, mountChanges } from './changes.mjs';
export { clientOnly, famfsOnly } from './famfs-rules.mjs';
export { reading } from './reading.mjs';
