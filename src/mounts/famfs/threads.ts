import { readFileSync } from 'node:fs';

/**
 * Whether two thread ids (which is what FUSE requests carry) are of one process. When it cannot be told (threads gone, or of
 * another pid namespace, shown as 0) the answer is true.
 */
export function isSameProcess(first: number, second: number): boolean {
  if (first === second || first === 0 || second === 0) return true;
  const one = processOf(first);
  const other = processOf(second);
  return one === null || other === null || one === other;
}

function processOf(thread: number): number | null {
  try {
    const found = /^Tgid:\s*(\d+)$/m.exec(readFileSync(`/proc/${thread}/status`, 'utf8'));
    return found ? Number(found[1]) : null;
  } catch {
    return null; // it has ended: an answer
  }
}
