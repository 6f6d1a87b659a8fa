import fs from 'node:fs';
import path from 'node:path';
import { runDirectory } from './directories.js';

/** A file that is the NVDIMM of one or more VMs, with a directory of its own for what belongs to them. */
export class SharedMemoryFile {
  readonly directory = runDirectory();
  readonly path = path.join(this.directory, 'nvdimm');

  /** @param size bytes, whole MiB; taken as it is touched */
  constructor(readonly size: number) {
    fs.writeFileSync(this.path, '');
    fs.truncateSync(this.path, size);
  }

  /** Bytes of the memory, as they are now. */
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

  /** As if the memory had failed: one bit of one byte. */
  flipBit(offset: number): void {
    const byte = this.read(offset, 1);
    byte[0]! ^= 1;
    const fd = fs.openSync(this.path, 'r+');
    fs.writeSync(fd, byte, 0, 1, offset);
    fs.closeSync(fd);
  }

  /** A file of its own with a copy of some of the memory; ends with the memory. */
  copyFrom(offset: number, length: number): string {
    const image = path.join(this.directory, `copy-${offset}-${performance.now()}`);
    fs.writeFileSync(image, this.read(offset, length));
    return image;
  }

  close(): void {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}
