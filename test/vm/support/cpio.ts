import fs from 'node:fs';

const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const SYMLINK = 0o120000;

/**
 * Writes an initramfs archive (cpio "newc"): a header of ASCII hex fields, the name, the bytes, each padded to 4.
 * The kernel unpacks any number of archives after each other, so that two of them can simply be joined.
 */
export class CpioWriter {
  readonly #fd: number;
  readonly #directories = new Set<string>();
  #inode = 1;

  constructor(path: string) {
    this.#fd = fs.openSync(path, 'w');
  }

  /** @param name without a leading slash; its directories are made too */
  file(name: string, bytes: Uint8Array, mode = 0o644): void {
    this.#entry(name, REGULAR | mode, bytes);
  }

  symlink(name: string, target: string): void {
    this.#entry(name, SYMLINK | 0o777, Buffer.from(target));
  }

  directory(name: string): void {
    if (name === '' || this.#directories.has(name)) return;
    this.#directories.add(name);
    this.#entry(name, DIRECTORY | 0o755, new Uint8Array(0));
  }

  close(): void {
    this.#write('TRAILER!!!', 0, new Uint8Array(0));
    fs.closeSync(this.#fd);
  }

  #entry(name: string, mode: number, bytes: Uint8Array): void {
    const slash = name.lastIndexOf('/');
    if (slash > 0) this.directory(name.slice(0, slash));
    this.#write(name, mode, bytes);
  }

  #write(name: string, mode: number, bytes: Uint8Array): void {
    const nameBytes = Buffer.from(`${name}\0`);
    const isDirectory = (mode & 0o170000) === DIRECTORY;
    const fields = [
      this.#inode++, // ino
      mode,
      0, // uid
      0, // gid
      isDirectory ? 2 : 1, // nlink
      0, // mtime
      bytes.length,
      0, // devmajor
      0, // devminor
      0, // rdevmajor
      0, // rdevminor
      nameBytes.length,
      0, // check
    ];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    this.#padded(Buffer.concat([Buffer.from(header, 'latin1'), nameBytes]));
    this.#padded(bytes);
  }

  #padded(bytes: Uint8Array): void {
    fs.writeSync(this.#fd, bytes);
    const rest = bytes.length % 4;
    if (rest !== 0) fs.writeSync(this.#fd, new Uint8Array(4 - rest));
  }
}
