import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asDaxError, fail, hasCode } from './errors.js';

let root: string | undefined;

/**
 * The directory of this package: what lies above the running code, whether that is a module of src/ or dist/, or a chunk of the bundled
 * command.
 * @throws DaxError ENOENT a bundler took the code out of its package
 */
export function packageRoot(): string {
  root ??= findRoot(dirname(fileURLToPath(import.meta.url)));
  return root;
}

function findRoot(start: string): string {
  for (let directory = start; ; directory = dirname(directory)) {
    if (nameOfPackage(directory) === 'udax') return directory;
    if (directory === dirname(directory))
      return fail('ENOENT', `udax' own files are not above ${start}: keep udax out of the bundle`, {
        path: start,
      });
  }
}

function nameOfPackage(directory: string): unknown {
  const file = join(directory, 'package.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')).name;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR') || error instanceof SyntaxError) return undefined;
    throw asDaxError(error, `reading ${file}`, file);
  }
}
