/**
 * shadow/: the tree of text files that C famfs and its FUSE daemon work from (famfs-format.md 8). A directory of the volume
 * is a directory there. A file is a YAML document with its size, owner and extents.
 *
 * Invariants: the bytes are those of C famfs (libyaml's block style and quoting). Nothing outside the shadow root is
 * touched: path components are checked, and symbolic links in the tree are not followed. An existing file is never
 * rewritten; it is compared with the log, and a difference is reported.
 * Lifetime: nothing is kept open between calls. Failure: an error of one entry is counted and reported, and the replay goes
 * on. An entry that fails its crc or seqnum stops the replay. An error of the host's file system is thrown.
 */
export { fileYaml } from './file-yaml.js';
export { parseFileYaml } from './parse-file.js';
export { readableLog, replayToShadow, type ShadowReport } from './shadow-replay.js';
export { shadowRoot } from './shadow-root.js';
