/**
 * fuse/protocol/: the FUSE messages, as pure functions of bytes. Tables of operations, structs and flags; a reader of requests,
 * a reply ready for writev, encoders, INIT's negotiation, and a printer that shows a message in one line. It opens no files
 * and keeps no state between messages. Malformed input is EINVAL.
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
