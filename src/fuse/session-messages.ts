import {
  DaxError,
  type DaxErrorDetails,
  type ErrnoCode,
  type ErrorHint,
  hintOf,
  isError,
} from '../libc/index.js';
import type { DelayedWrite } from './file-system.js';
import type { LoopEnd } from './loop.js';
import type { FuseConnectionOptions } from './session-types.js';
import type { FuseSettledConnection } from './types.js';

/** The data that the worker gets at its start. */
export interface WorkerData {
  readonly moduleUrl: string;
  readonly data: unknown;
  readonly mountpoint: string;
  readonly connection: FuseConnectionOptions;
  readonly wire: boolean;
  /** Whether the reasons of refused calls are reported. */
  readonly tellRefusals: boolean;
  /** The memory of the OperationStats; absent when nothing is measured. */
  readonly stats?: SharedArrayBuffer;
  /** The memory of the LoopControl. */
  readonly control: SharedArrayBuffer;
  readonly signal: number;
}

export type ToWorker =
  | { readonly kind: 'serve'; readonly deviceFd: number }
  | { readonly kind: 'give up' }
  | { readonly kind: 'call'; readonly id: number; readonly message: unknown };

export type FromWorker =
  | { readonly kind: 'made' }
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'initialized'; readonly connection: FuseSettledConnection }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: PlainError }
  | { readonly kind: 'wire'; readonly line: string }
  | { readonly kind: 'report'; readonly error: PlainError }
  | { readonly kind: 'post'; readonly message: unknown }
  | { readonly kind: 'write later'; readonly write: DelayedWrite }
  | {
      readonly kind: 'invalidate inode';
      readonly node: number;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: 'invalidate entry'; readonly parent: number; readonly name: string }
  | { readonly kind: 'ended'; readonly reason: LoopEnd };

/** An error in the form for another thread: structured clone would drop a DaxError's code. */
export interface PlainError {
  readonly message: string;
  /** The class, RangeError or TypeError; used when there is no code. */
  readonly name?: string;
  readonly code?: string;
  readonly syscall?: string;
  readonly path?: string;
  readonly hint?: ErrorHint;
  readonly hintPath?: string;
  readonly stack?: string;
}

/** Built-in classes that tell what went wrong: when the engine has no memory left, that is a RangeError. */
const kinds: Record<string, ErrorConstructor | undefined> = { RangeError, TypeError };

export function toPlainError(error: unknown): PlainError {
  if (!isError(error)) return { message: String(error) };
  const text = (name: string) => {
    const value: unknown = (error as unknown as Record<string, unknown>)[name];
    return typeof value === 'string' ? { [name]: value } : {};
  };
  const cause = isError(error.cause) ? `: ${error.cause.message}` : '';
  const stack = isError(error.cause) ? error.cause.stack : error.stack;
  return {
    message: error.message + cause,
    ...(stack === undefined ? {} : { stack }),
    ...text('name'),
    ...text('code'),
    ...text('syscall'),
    ...text('path'),
    ...hintOf(error),
  };
}

export function fromPlainError(plain: PlainError): Error {
  const { message, name, code, syscall, path, hint, hintPath, stack } = plain;
  const details: DaxErrorDetails = {
    ...(hint !== undefined && { hint }),
    ...(hintPath !== undefined && { hintPath }),
  };
  if (syscall !== undefined) details.syscall = syscall;
  if (path !== undefined) details.path = path;
  const error =
    code !== undefined && /^E[A-Z0-9]+$/.test(code)
      ? new DaxError(code as ErrnoCode, message, details)
      : new (kinds[name ?? ''] ?? Error)(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
