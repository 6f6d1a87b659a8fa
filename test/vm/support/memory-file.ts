import fs from 'node:fs';
import path from 'node:path';
import { runDirectory } from './directories.js';

/** A file that is the NVDIMM of one or more VMs, with its own directory for what belongs to them. */
export class SharedMemoryFile {
  readonly directory = runDirectory();
  readonly path = path.join(this.directory, 'nvdimm');

  /** @param size bytes, whole MiB; space is allocated on first touch */
  constructor(readonly size: number) {
    fs.writeFileSync(this.path, '');
    fs.truncateSync(this.path, size);
  }

  /** Current bytes of the memory. */
  read(offset: number, length: number): Buffer {
    const fd = fs.openSync(this.path, 'r');
    try {
      const bytes = Buffer.alloc(length);
      fs.readSync(fd, bytes, 0, length, offset);
      return bytes;
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Flips one bit of one byte, as if the memory had failed. */
  flipBit(offset: number): void {
    const byte = this.read(offset, 1);
    byte[0]! ^= 1;
    const fd = fs.openSync(this.path, 'r+');
    fs.writeSync(fd, byte, 0, 1, offset);
    fs.closeSync(fd);
  }

  /** A new file with a copy of some of the memory. It is removed with the memory. */
  copyFrom(offset: number, length: number): string {
    const image = path.join(this.directory, `copy-${offset}-${performance.now()}`);
    fs.writeFileSync(image, this.read(offset, length));
    return image;
  }

  close(): void {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}
