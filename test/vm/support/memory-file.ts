import fs from 'node:fs';
import path from 'node:path';
import { runDirectory } from './assets.js';

/** A file that is the NVDIMM of one or more VMs, with a directory of its own for what belongs to them. */
export class SharedMemoryFile {
  readonly directory = runDirectory();
  readonly path = path.join(this.directory, 'nvdimm');

  /** @param size bytes, whole MiB; taken as it is touched */
  constructor(readonly size: number) {
    fs.writeFileSync(this.path, '');
    fs.truncateSync(this.path, size);
  }

  close(): void {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}
