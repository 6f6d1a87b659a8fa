/** Finds the root of a shadow tree and the places below it. Paths lead only through real directories. */
import fs from 'node:fs';
import { basename, join } from 'node:path';
import { asDaxError, fail, hasCode } from '../../libc/index.js';
import { encodeName } from '../media/path.js';

/** What a place of the tree holds. A symbolic link is 'other': it is never followed, because it could lead out of the tree. */
export type Standing = 'nothing' | 'file' | 'directory' | 'other';

/**
 * The root of a shadow directory: the directory itself when it is called `root`, else `root` in it. That one is made
 * when the directory is empty.
 * @throws DaxError ENOENT, ENOTDIR, EACCES
 */
export function shadowRoot(shadow: string): string {
  if (standing(shadow) !== 'directory' && !isLinkToDirectory(shadow)) {
    fail('ENOENT', `the shadow directory ${shadow} does not exist: make it first`, { path: shadow });
  }
  if (basename(shadow) === 'root') return shadow;
  const root = join(shadow, 'root');
  const there = standing(root);
  if (there === 'directory') return root;
  if (there !== 'nothing')
    fail('ENOTDIR', `${root} is not a directory: choose another shadow directory`, { path: root });
  if (fs.readdirSync(shadow).length > 0) {
    fail(
      'ENOENT',
      `${shadow} has no directory 'root' and is not empty: give an empty directory, or make ${root}`,
      {
        path: root,
      },
    );
  }
  try {
    fs.mkdirSync(root, { mode: 0o755 });
  } catch (error) {
    throw asDaxError(error, `making the shadow root ${root}`, root);
  }
  return root;
}

/** The path to the shadow directory itself may go through a link. The tree below the root may not hold links. */
function isLinkToDirectory(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

export function standing(path: string | Buffer): Standing {
  let stat: fs.Stats | undefined;
  try {
    stat = fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (hasCode(error, 'ENOTDIR')) return 'nothing';
    throw asDaxError(error, `looking at ${path}`, String(path));
  }
  if (stat === undefined) return 'nothing';
  return stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other';
}

/** The places below a root. It remembers which directories it has checked to be real ones. */
export class ShadowPlaces {
  readonly #root: Buffer;
  readonly #directories = new Set<string>(['']);

  constructor(root: string) {
    this.#root = Buffer.from(root);
  }

  /** The host path of a log path. The caller has checked the components. */
  hostPath(path: string): Buffer {
    return Buffer.concat([this.#root, Buffer.from('/'), encodeName(path)]);
  }

  /** What is wrong with the directories above a log path, or null. */
  parentFault(path: string): { code: string; message: string } | null {
    const slash = path.lastIndexOf('/');
    return slash < 0 ? null : this.#directoryFault(path.slice(0, slash));
  }

  #directoryFault(path: string): { code: string; message: string } | null {
    if (this.#directories.has(path)) return null;
    const above = this.parentFault(path);
    if (above !== null) return above;
    const there = standing(this.hostPath(path));
    if (there === 'directory') {
      this.#directories.add(path);
      return null;
    }
    return there === 'nothing'
      ? { code: 'missing-parent', message: `its parent directory '${path}' does not exist` }
      : { code: 'parent-not-directory', message: `'${path}' is not a directory` };
  }
}
