import fs from 'node:fs';
import { hasCode } from '../libc/index.js';

export { commandOf } from '../libc/index.js';

/** Start time of a process in clock ticks after boot (field 22 of /proc/PID/stat); 0 when it is gone. */
export function startTimeOf(pid: number | 'self'): number {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command (field 2) may hold spaces and parentheses: count from the last one.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES')) return 0;
    throw error;
  }
}
