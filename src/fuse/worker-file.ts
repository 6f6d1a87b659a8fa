import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { asDaxError, fail } from '../libc/index.js';

/**
 * The URL of a program file for a worker, which must lie beside the code that starts it.
 * @param beside `import.meta.url` of that code
 * @throws DaxError ENOENT a bundler moved the code and left the file behind; says how to bundle. EACCES, EIO it cannot be looked at
 */
export function workerFile(name: string, beside: string | undefined): URL {
  // A CommonJS bundle has no import.meta.url.
  const url = beside?.startsWith('file:') ? new URL(name, beside) : undefined;
  if (url !== undefined && isThere(fileURLToPath(url))) return url;
  return fail(
    'ENOENT',
    `${name}, which a FUSE mount runs in a worker, is not beside ${beside ?? 'the bundle'}: keep udax and koffi out of the bundle ` +
      "(esbuild: external: ['udax', 'koffi'])",
    url === undefined ? {} : { path: fileURLToPath(url) },
  );
}

function isThere(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw asDaxError(error, `looking for ${file}, which a FUSE mount runs in a worker`, file);
  }
}
