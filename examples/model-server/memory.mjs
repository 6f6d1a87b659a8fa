// The memory of a process, from /proc. A page that n processes have counts 1/n in each (proportional set size).
import { readFileSync, statSync } from 'node:fs';

/** Bytes of the process's own memory: what read() fills is here. */
export function anonymousBytes(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss_Anon:\s+(\d+)/m.exec(rollup)[1]) * 1024;
}

/** Bytes of the process's mappings of one file. */
export function mappedBytes(pid, file) {
  const { ino } = statSync(file);
  let isOfFile = false;
  let total = 0;
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const start = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ (\d+) +(.*)$/.exec(line);
    if (start) isOfFile = Number(start[1]) === ino && start[2].startsWith('/');
    else if (isOfFile && line.startsWith('Pss:')) total += Number(/\d+/.exec(line)[0]) * 1024;
  }
  return total;
}
