import fs from 'node:fs';

const STANDARD_OUTPUTS = [1, 2];

/**
 * koffi 3.3.4 flushes stdout and stderr with fsync(2) when the process exits, and waits for itself for ever when that fails with
 * anything but EINVAL (it reports the failure on the very stream whose lock it has): a closed stderr (EBADF), a log on a broken or
 * full disk (EIO, ENOSPC). So before that, an output that cannot be synced is replaced by /dev/null, which nobody needs to sync.
 * What Node has to say it has said by then.
 * @param replace dup2(2)
 */
export function guardExit(replace: (from: number, to: number) => void): void {
  process.once('exit', () => {
    for (const fd of STANDARD_OUTPUTS) {
      if (canBeSynced(fd)) continue;
      try {
        const nowhere = fs.openSync('/dev/null', 'r+');
        if (nowhere === fd) continue;
        replace(nowhere, fd);
        fs.closeSync(nowhere);
      } catch {
        // The process is ending; there is nobody left to tell, and nothing left to say it on.
      }
    }
  });
}

function canBeSynced(fd: number): boolean {
  try {
    fs.fsyncSync(fd);
    return true;
  } catch (error) {
    // Pipes, sockets, terminals: no fault in koffi's eyes.
    return (error as NodeJS.ErrnoException).code === 'EINVAL';
  }
}
