import { accessSync } from 'node:fs';

/** Whether this user may do something with a file: R_OK, W_OK, X_OK of node:fs constants. */
export function mayAccess(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
