import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { asDaxError, fail } from '../libc/index.js';

/** How far above a module, or a chunk of the bundled command, the built program begins. */
const DEEPEST = 3;

/**
 * The URL of a program file for a worker, which must be of the same build as the code that starts it.
 * @param name from the top of the build: `fuse/session-worker.js`
 * @param from `import.meta.url` of that code
 * @throws DaxError ENOENT a bundler moved the code and left the file behind; says how to bundle. EACCES, EIO it cannot be looked at
 */
export function workerFile(name: string, from: string | undefined): URL {
  // A CommonJS bundle has no import.meta.url.
  const start = from?.startsWith('file:') ? dirname(fileURLToPath(from)) : undefined;
  for (
    let above = start, depth = 0;
    above !== undefined && depth < DEEPEST;
    depth++, above = dirname(above)
  ) {
    const file = join(above, name);
    if (isThere(file)) return pathToFileURL(file);
  }
  return fail(
    'ENOENT',
    `${name}, which a FUSE mount runs in a worker, is not beside ${from ?? 'the bundle'}: keep udax and koffi out of the bundle ` +
      "(esbuild: external: ['udax', 'koffi'])",
    start === undefined ? {} : { path: join(start, name) },
  );
}

function isThere(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw asDaxError(error, `looking for ${file}, which a FUSE mount runs in a worker`, file);
  }
}
