/** The operations of the processes, and their messages. Parent and children share this. */
import { randomFrom } from '../steps/tool.js';

export const operationKinds = [
  'mkdir',
  'create',
  'copyIn',
  'copyManyIn',
  'writeFile',
  'stream',
  'put',
  'get',
  'mode',
  'mkfs',
  'rewrite',
] as const;
export type OperationKind = (typeof operationKinds)[number];

export interface Operation {
  kind: OperationKind;
  /** A path, a message or a mode. */
  name: string;
}

export type Signal = 'SIGKILL' | 'SIGSTOP';

export type Word =
  | { do: 'open' }
  | { do: 'close' }
  /** The process sends itself `signal` before step `at.step` (from 1). */
  | { do: 'work'; operations: Operation[]; at?: { step: number; signal: Signal } };

/** Lines of a child. `began` and `ended` are indices into the list of operations. */
export type Line =
  | { done: true; steps: number }
  | { began: number }
  | { ended: number; value?: string | null; error?: { code: string; message: string } };

export const QUEUE = '/queue';
export const OTHER_DEVICE = 'dax1.0';
export const SCRATCH_DEVICE = 'dax2.0';
/** Its volume is rewritten again and again: /kept stays, and another file has one name of two. */
export const REWRITTEN_DEVICE = 'dax3.0';
export const KEPT = '/kept';
export const NAMES = ['/here', '/there'] as const;

/** The content of a file: from 1 byte to a few pages, the same for the same name. */
export function contentOf(name: string): Buffer {
  let seed = 0;
  for (const letter of name) seed = (Math.imul(seed, 31) + letter.charCodeAt(0)) >>> 0;
  const length = 1 + Math.floor(randomFrom(seed)() * 20_000);
  return Buffer.alloc(length, `${name} `);
}

/** Whether an error is a correct answer while several processes work. */
export function isFair(operation: Operation, code: string): boolean {
  // Another process has the device at the moment, in any mode. A queue has one end of each kind.
  // There is no direct change from system-ram to famfs.
  if (operation.kind === 'mode') return code === 'EBUSY' || (code === 'EINVAL' && operation.name === 'famfs');
  if (operation.kind === 'rewrite') return code === 'EBUSY';
  if (operation.kind === 'mkfs') return code === 'EBUSY' || code === 'ENXIO';
  return (operation.kind === 'put' || operation.kind === 'get') && code === 'EBUSY';
}
