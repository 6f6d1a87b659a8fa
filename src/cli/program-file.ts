import { closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { mayAccess } from './access.js';

const PT_INTERP = 3;
const ELFCLASS64 = 2;
/** The machine number of ELF files, by Node's name of the processor. */
const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };
/** Scripts of scripts: Linux follows as many. */
const MOST_INTERPRETERS = 5;
const HEAD_BYTES = 4096;

/** The file that a command's first word runs, as execvp(3) finds it; null when there is none. */
export function programFile(word: string, searched = process.env.PATH ?? '/usr/bin:/bin'): string | null {
  const candidates = word.includes('/')
    ? [word]
    : searched.split(':').map((place) => join(place || '.', word));
  return candidates.find((path) => isFile(path) && mayAccess(path, constants.X_OK)) ?? null;
}

/** Why a program will not load a preloaded library, as far as its file tells; null when it should. Looks through `#!` lines. */
export function whyNotPreloaded(path: string, depth = 0): string | null {
  const head = headOf(path);
  if (head === null) return null;
  if (head.toString('latin1', 0, 2) === '#!') {
    const [interpreter = ''] = /^#!\s*(\S+)/.exec(head.toString('latin1', 0, 256))?.slice(1) ?? [];
    return depth < MOST_INTERPRETERS && interpreter.startsWith('/')
      ? whyNotPreloaded(interpreter, depth + 1)
      : null;
  }
  if (head.toString('latin1', 0, 4) !== '\x7fELF') return null;
  if (head[4] !== ELFCLASS64 || head.readUInt16LE(18) !== MACHINES[process.arch])
    return `${path} is for another processor than this udax (32-bit programs count as such)`;
  if (!hasInterpreter(head)) return `${path} is statically linked`;
  return isPrivileged(path)
    ? `${path} is set-user-id or set-group-id, and the loader ignores LD_PRELOAD`
    : null;
}

/** A program without the name of a loader in its headers loads no libraries. Headers behind the head are not looked at. */
function hasInterpreter(head: Buffer): boolean {
  const [start, size, count] = [
    Number(head.readBigUInt64LE(32)),
    head.readUInt16LE(54),
    head.readUInt16LE(56),
  ];
  if (start + size * count > head.length) return true;
  for (let i = 0; i < count; i++) if (head.readUInt32LE(start + i * size) === PT_INTERP) return true;
  return false;
}

function isPrivileged(path: string): boolean {
  const { mode, uid, gid } = statSync(path);
  const [user, group] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  return ((mode & 0o4000) !== 0 && uid !== user) || ((mode & 0o2000) !== 0 && gid !== group);
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false; // not there, or not for this user: the search goes on
  }
}

/** The first bytes of a file; null when this user may run it but not read it. */
function headOf(path: string): Buffer | null {
  try {
    const fd = openSync(path, 'r');
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      return head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0)).length < 64 ? null : head;
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}
