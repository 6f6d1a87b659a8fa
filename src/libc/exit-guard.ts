import fs from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const STANDARD_OUTPUTS = [1, 2];

/**
 * Keeps koffi from blocking the exit of the process. koffi 3.3.4 calls fsync(2) on stdout and stderr at exit. When that fails with
 * anything but EINVAL, it deadlocks: it reports the failure on the stream whose lock it holds. That happens with a closed stderr
 * (EBADF) or a log on a broken or full disk (EIO, ENOSPC). So at the 'exit' event, an output that cannot be synced is replaced by
 * /dev/null. Node has written its own output by then. koffi does this once, when the process ends: a worker, whose end is not that
 * of the process, only fills the place of an output that is closed.
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
        // The process is ending, and its output does not work: there is nowhere to report this.
      }
    }
  });
}

function canBeSynced(fd: number): boolean {
  try {
    fs.fsyncSync(fd);
    return true;
  } catch (error) {
    // Pipes, sockets, terminals: koffi does not treat EINVAL as a failure.
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EINVAL' || (code !== 'EBADF' && !isMainThread);
  }
}
