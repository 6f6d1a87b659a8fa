/**
 * fuse/protocol/: the wire as pure functions of bytes. Tables of operations, structs and flags; a reader of requests,
 * a reply ready for writev, encoders, INIT's negotiation, and a printer of every message in one line. Opens nothing,
 * keeps nothing; malformed input is EINVAL.
 */
export * from './encode.js';
export * from './flags.js';
export * from './negotiate.js';
export * from './notification.js';
export * from './operations.js';
export * from './printer.js';
export * from './reader.js';
export * from './reply.js';
export * from './struct.js';
export * as structs from './structs.js';
