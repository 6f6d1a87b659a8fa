import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import { asDaxError, fail } from '../libc/index.js';
import type { DaxTree } from './dax-tree.js';
import { explainRefusal } from './permissions.js';

const MODPROBE_SECONDS = 30;

/**
 * A DaxTree of real files: the kernel's /sys, or a tree with the same layout. Nothing is cached: every call uses the files as
 * they are now.
 */
export class SysfsFiles implements DaxTree {
  readonly root: string;
  readonly moreIn = 'dmesg';

  constructor(root: string) {
    // realpath() compares resolved links with the root, so the root must have no links itself.
    this.root = fs.existsSync(root) ? fs.realpathSync(root) : path.resolve(root);
  }

  /** True for the running kernel's own tree: only there can modules be loaded, and device nodes belong to it. */
  get isLive(): boolean {
    return this.root === '/sys';
  }

  /** The absolute path of a path in the tree. */
  absolute(relative: string): string {
    return path.join(this.root, relative);
  }

  exists(relative: string): boolean {
    return fs.existsSync(this.absolute(relative));
  }

  /** The text of an attribute, unchanged. @throws DaxError the errno of open(2) or of the attribute */
  read(relative: string): string {
    const file = this.absolute(relative);
    return told(file, 'read', () => fs.readFileSync(file, 'latin1'));
  }

  /**
   * One store: one write(2) of the whole text.
   * @throws DaxError EACCES names the file's mode and owner, ENOENT, or the errno that the attribute answers
   */
  write(relative: string, text: string): void {
    const file = this.absolute(relative);
    told(file, 'written', () => {
      const fd = fs.openSync(file, fs.constants.O_WRONLY);
      try {
        fs.writeSync(fd, text, null, 'latin1');
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  /** Names in a directory, in the kernel's own order: daxctl's lists depend on it. @throws DaxError ENOENT, ENOTDIR */
  readdir(relative: string): string[] {
    const directory = this.absolute(relative);
    return told(directory, 'listed', () => {
      const opened = fs.opendirSync(directory);
      try {
        const names: string[] = [];
        for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) names.push(entry.name);
        return names;
      } finally {
        opened.closeSync();
      }
    });
  }

  /** The target of a link. @throws DaxError ENOENT, EINVAL (not a link) */
  readlink(relative: string): string {
    const link = this.absolute(relative);
    return told(link, 'followed', () => fs.readlinkSync(link));
  }

  /** The path with links resolved, relative to the root. @throws DaxError ENOENT, EIO it leads out of the tree */
  realpath(relative: string): string {
    const file = this.absolute(relative);
    const real = told(file, 'followed', () => fs.realpathSync(file));
    if (real !== this.root && !real.startsWith(`${this.root}/`)) {
      fail('EIO', `${file} leads to ${real}, out of the tree at ${this.root}`, { path: file });
    }
    return real.slice(this.root.length + 1);
  }

  /**
   * Loads the module of a driver with modprobe.
   * @throws DaxError ENOENT there is no such module; EOPNOTSUPP there is no fsdev_dax, which came with Linux 7.0
   */
  loadDriver(name: string): void {
    const why = this.isLive ? modprobe(name) : 'modules are loaded only for the /sys of this kernel';
    const file = this.absolute(`bus/dax/drivers/${name}`);
    if (fs.existsSync(file)) return;
    const what = `the driver ${name} is not on the dax bus, and its module cannot be loaded (${why})`;
    if (name === 'fsdev_dax') {
      fail(
        'EOPNOTSUPP',
        `${what}: famfs mode needs Linux 7.0 or later, this is ${release()}; udax itself needs devdax mode only`,
        { path: file },
      );
    }
    fail('ENOENT', `${what}: install it (modprobe ${name} must work), or use a kernel that has it`, {
      path: file,
    });
  }
}

/** Runs modprobe. @returns its last message, for the error when the driver is still missing */
function modprobe(module: string): string {
  const { error, status, stderr } = spawnSync('modprobe', [module], {
    encoding: 'utf8',
    timeout: MODPROBE_SECONDS * 1000,
    env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
  });
  if (error) return `modprobe cannot be run: ${error.message}`;
  return stderr.trim().split('\n').pop() || `modprobe ${module} ended with ${status}`;
}

function told<T>(file: string, done: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const explained = explainRefusal(error, file, done);
    throw explained === error ? asDaxError(error, `${file} cannot be ${done}`, file) : explained;
  }
}
