import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DaxError, fail, hasCode, packageRoot } from '../libc/index.js';

/** Where the preload library may be: built here from its source, else as it came with the package. */
const PLACES = ['dist/native', 'native/prebuilt'] as const;

/** The separators of LD_PRELOAD. The loader knows no way to quote them. */
const SEPARATORS = /[\s:]/;

export interface PreloadLibrary {
  readonly path: string;
  /** `dist/native` or `native/prebuilt`. */
  readonly from: string;
}

/**
 * Finds the preload library for this host, and checks that it is the one that was built.
 * @throws DaxError ENOENT none for this processor; EBADMSG it was changed; EINVAL its path cannot be preloaded
 */
export function preloadLibrary(arch: string = process.arch): PreloadLibrary {
  const name = `linux-${arch}/udax-run.so`;
  for (const place of PLACES) {
    const directory = `${packageRoot()}/${place}/`;
    const bytes = bytesOf(`${directory}${name}`);
    if (bytes === null) continue;
    const path = `${directory}${name}`;
    const sum = createHash('sha256').update(bytes).digest('hex');
    const sums = bytesOf(`${directory}SHA256SUMS`)?.toString('latin1').split('\n') ?? [];
    if (!sums.includes(`${sum}  ${name}`)) {
      fail('EBADMSG', `${path} is not what ${place}/SHA256SUMS says: build or install udax again`, { path });
    }
    if (SEPARATORS.test(path)) {
      fail('EINVAL', `${path} has a space or a colon, which LD_PRELOAD cannot have: install udax elsewhere`, {
        path,
      });
    }
    return { path, from: place };
  }
  return fail(
    'ENOENT',
    `there is no preload library for ${arch} (prebuilt: x64, arm64): programs use the mount as it is`,
  );
}

function bytesOf(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw new DaxError('EIO', `${path} cannot be read: ${(error as Error).message}`, { path, cause: error });
  }
}
