/** The files of the page. They are read once, when the server starts: no request ever names a file of the disk. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { asDaxError, packageRoot } from '../../libc/index.js';

export interface Asset {
  readonly bytes: Uint8Array;
  readonly type: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * All files of the page by their path, `index.html` and `assets/...`.
 * @throws DaxError ENOENT the package was not built
 */
export function pageAssets(directory = join(packageRoot(), 'dist/inspector/page')): Map<string, Asset> {
  try {
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    return new Map(
      names
        .filter((name) => extname(name) in TYPES)
        .map((name) => [name, { bytes: readFileSync(join(directory, name)), type: TYPES[extname(name)]! }]),
    );
  } catch (error) {
    throw asDaxError(error, 'the page of the inspector is not there (npm run build makes it)', directory);
  }
}
