/**
 * shadow/: the tree of text files that C famfs and its FUSE daemon work from (famfs-format.md 8). A directory of the volume
 * is a directory, a file is a YAML document that says size, owner and extents.
 *
 * Invariants: bytes are those of C famfs (libyaml's block style and quoting). Nothing outside the shadow root is
 * ever touched: components are checked, and symbolic links in the tree are not followed. What is there is never
 * rewritten; it is compared, and a difference is reported.
 * Lifetime: nothing is kept open between calls. Failure: what is wrong with one entry is counted and told, the
 * others go on; a bad log entry stops the replay; errors of the host's file system end it.
 */
export { fileYaml } from './file-yaml.js';
export { parseFileYaml } from './parse-file.js';
export { readableLog, replayToShadow, type ShadowReport } from './shadow-replay.js';
export { shadowRoot } from './shadow-root.js';
