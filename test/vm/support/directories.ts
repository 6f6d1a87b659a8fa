import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const PREFIX = 'udax-vm-';

function base(): string {
  return fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
}

/** Makes a directory of this process, on tmpfs if there is one: for memory of VMs, sockets, and boot files. */
export function runDirectory(): string {
  return fs.mkdtempSync(path.join(base(), `${PREFIX}${process.pid}-`));
}

/** Removes what killed runs left: directories whose process is gone. */
export function removeStaleDirectories(): void {
  for (const name of fs.readdirSync(base())) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !fs.existsSync(`/proc/${pid}`)) {
      fs.rmSync(path.join(base(), name), { recursive: true, force: true });
    }
  }
}
