import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fail } from '../libc/index.js';

/**
 * The URL of a program file for a worker, which must lie beside the code that starts it.
 * @param beside `import.meta.url` of that code
 * @throws DaxError ENOENT a bundler moved the code but not the file; the message says how to bundle
 */
export function workerFile(name: string, beside: string | undefined): URL {
  // A CommonJS bundle has no import.meta.url.
  const url = beside?.startsWith('file:') ? new URL(name, beside) : undefined;
  if (url !== undefined && existsSync(fileURLToPath(url))) return url;
  return fail(
    'ENOENT',
    `${name}, which a FUSE mount runs in a worker, is not beside ${beside ?? 'the bundle'}: keep udax and koffi out of the bundle ` +
      "(esbuild: external: ['udax', 'koffi'])",
    url === undefined ? {} : { path: fileURLToPath(url) },
  );
}
