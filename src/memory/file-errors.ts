import { asDaxError, DaxError } from '../libc/index.js';

/** Says which file a failed system call was about, and what we were doing; errors that name one already stay. */
export function errorAbout(error: unknown, doing: string, path: string): unknown {
  if (!(error instanceof DaxError)) return asDaxError(error, doing, path);
  if (error.path !== undefined) return error;
  const syscall = error.syscall === undefined ? {} : { syscall: error.syscall };
  return new DaxError(error.code, `${doing}: ${error.message}`, { ...syscall, path, cause: error });
}
