import type { Scope } from '../scope.js';
import { annexFirst, annexNames, annexNext, annexReplace, rewriteAnnex } from './annex.js';
import { arena } from './arena.js';
import { copyIn, copyManyIn, overwrite, stream, writeFile } from './copies.js';
import { mkfs, mkfsForce } from './mkfs.js';
import { append, clone, create, mkdir } from './names.js';
import { queueCreate, queueGet, queuePut } from './queues.js';
import { compact, rewriteMv, rewriteRm, truncate } from './rewrites.js';
import { takeOver, takeOverAgain } from './take-over.js';

/** All operations on memory whose crashes are explored. */
export const scopes: readonly Scope[] = [
  append,
  mkdir,
  create,
  clone,
  mkfs,
  mkfsForce,
  takeOver,
  takeOverAgain,
  rewriteRm,
  rewriteMv,
  truncate,
  compact,
  annexNames,
  annexFirst,
  annexNext,
  annexReplace,
  rewriteAnnex,
  copyIn,
  copyManyIn,
  overwrite,
  writeFile,
  stream,
  queueCreate,
  queuePut,
  queueGet,
  arena,
];
