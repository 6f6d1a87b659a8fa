import fs from 'node:fs';
import { DaxError, hasCode } from '../libc/index.js';

/** Mode and owner of a file, for a user who was refused: `0600 root:root`. Empty when stat fails. */
function ownershipText(path: string): string {
  try {
    const { mode, uid, gid } = fs.statSync(path);
    const bits = (mode & 0o7777).toString(8).padStart(4, '0');
    return `${bits} ${nameIn('/etc/passwd', uid)}:${nameIn('/etc/group', gid)}`;
  } catch {
    return '';
  }
}

/** The name of a user or group, else its number. */
function nameIn(file: string, id: number): string {
  try {
    for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
      const [name = '', , number] = line.split(':');
      if (number === String(id)) return name;
    }
  } catch {
    // Not every host has these files.
  }
  return id === 0 ? 'root' : String(id);
}

/**
 * Turns EACCES and EPERM into an error that names the missing permission. Other errors pass through.
 * @param wanted the refused act: `opened for writing`
 */
export function explainRefusal(error: unknown, path: string, wanted: string): unknown {
  if (!hasCode(error, 'EACCES', 'EPERM')) return error;
  const ownership = ownershipText(path);
  const is = ownership === '' ? `${path} is closed to this user` : `${path} is ${ownership}`;
  return new DaxError('EACCES', `${is}, it cannot be ${wanted}: ${advice(path)}`, { path, cause: error });
}

function advice(path: string): string {
  if (!path.startsWith('/dev/')) return 'run as root';
  return process.getuid?.() === 0
    ? 'this process is root without the right to it (a container?)'
    : 'run as root or add a udev rule (docs/hardware.md)';
}
