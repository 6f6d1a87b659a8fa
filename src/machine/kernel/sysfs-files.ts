import fs from 'node:fs';
import path from 'node:path';
import { asDaxError, DaxError, fail, hasCode } from '../../libc/index.js';
import { explainRefusal } from './permissions.js';

/**
 * A sysfs tree of real files: the kernel's /sys, or a tree that looks like it. Paths are relative to its root
 * (`bus/dax/devices`). Nothing is kept: every call asks the files as they are now.
 */
export class SysfsFiles {
  readonly root: string;

  constructor(root: string) {
    // Links in the tree lead to real paths: the root must be one, to be told apart from them.
    this.root = fs.existsSync(root) ? fs.realpathSync(root) : path.resolve(root);
  }

  /** Whether this is the running kernel's own tree, where modules can be loaded and device nodes belong to. */
  get isLive(): boolean {
    return this.root === '/sys';
  }

  /** Absolute path of something in the tree. */
  absolute(relative: string): string {
    return path.join(this.root, relative);
  }

  exists(relative: string): boolean {
    return fs.existsSync(this.absolute(relative));
  }

  /** An attribute's text as the kernel gives it. @throws DaxError the errno of open(2) or of the attribute */
  read(relative: string): string {
    const file = this.absolute(relative);
    try {
      return fs.readFileSync(file, 'latin1');
    } catch (error) {
      throw told(error, file, 'read');
    }
  }

  /**
   * One store: one write(2) of the whole text.
   * @throws DaxError EACCES naming the file's mode and owner, ENOENT, or the errno the attribute answers with
   */
  write(relative: string, text: string): void {
    const file = this.absolute(relative);
    try {
      const fd = fs.openSync(file, fs.constants.O_WRONLY);
      try {
        fs.writeSync(fd, text, null, 'latin1');
      } finally {
        fs.closeSync(fd);
      }
    } catch (error) {
      throw told(error, file, 'written');
    }
  }

  /** Names in a directory, in the kernel's own order: what lists as daxctl does needs that. @throws DaxError ENOENT ENOTDIR */
  readdir(relative: string): string[] {
    const directory = this.absolute(relative);
    try {
      const opened = fs.opendirSync(directory);
      try {
        const names: string[] = [];
        for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) names.push(entry.name);
        return names;
      } finally {
        opened.closeSync();
      }
    } catch (error) {
      throw told(error, directory, 'listed');
    }
  }

  /** @throws DaxError ENOENT, EINVAL (not a link) */
  readlink(relative: string): string {
    const link = this.absolute(relative);
    try {
      return fs.readlinkSync(link);
    } catch (error) {
      throw told(error, link, 'followed');
    }
  }

  /** Path without links, relative to the root. @throws DaxError ENOENT, EIO it leads out of the tree */
  realpath(relative: string): string {
    const file = this.absolute(relative);
    let real: string;
    try {
      real = fs.realpathSync(file);
    } catch (error) {
      throw told(error, file, 'followed');
    }
    if (real !== this.root && !real.startsWith(`${this.root}/`)) {
      fail('EIO', `${file} leads to ${real}, out of the tree at ${this.root}`, { path: file });
    }
    return real.slice(this.root.length + 1);
  }

  // What most callers want: text without its newline, numbers, and null where there is nothing.

  /** An attribute's text without its newline; null when it is not there, may not be read, or has no value now. */
  text(relative: string): string | null {
    try {
      return this.read(relative).replace(/\n$/, '');
    } catch (error) {
      if (error instanceof DaxError) return null;
      throw error;
    }
  }

  /**
   * A number (decimal, or hexadecimal with 0x); null when it is not there or may not be read.
   * @throws DaxError EIO when the text is no safe integer
   */
  number(relative: string): number | null {
    const text = this.text(relative);
    if (text === null || text === '') return null;
    const value = /^(0x[0-9a-f]+|-?\d+)$/i.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value)) return value;
    return fail('EIO', `${this.absolute(relative)} is no number udax can hold: '${text}'`, {
      path: this.absolute(relative),
    });
  }

  /** Names in a directory, sorted; none when it is not there. */
  names(relative: string): string[] {
    return this.exists(relative) ? this.readdir(relative).sort() : [];
  }

  /** The last part of where a link leads (`driver` -> `device_dax`), or null. */
  linkName(relative: string): string | null {
    try {
      return path.basename(this.readlink(relative));
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'EINVAL', 'ENOTDIR')) return null;
      throw error;
    }
  }
}

function told(error: unknown, file: string, done: string): unknown {
  const explained = explainRefusal(error, file, done);
  return explained === error ? asDaxError(error, `${file} cannot be ${done}`, file) : explained;
}
