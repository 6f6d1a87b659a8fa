import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import {
  asDaxError,
  closeDescriptor,
  DaxError,
  hasCode,
  makeOwnFile,
  ofdLockConflict,
  openOwnFile,
  removeLeftover,
  syncDirectory,
} from '../../libc/index.js';
import { type Backing, createBacking } from '../../memory/index.js';

/**
 * Memory that a machine makes in `/dev/shm`: as fast as RAM, gone after a restart of the host.
 *
 *     /dev/shm/udax-DEV-INO-HEX.mem   the memory; DEV and INO are those of the state directory, HEX is random
 *     ROOT/regions/HEX.ram            the claim: empty, made before the memory, removed after it
 *
 * A claim that no region of machine.json uses is what a killed process left, or what a destroyed region had: the next change of
 * the machine removes the memory, then the claim. Only memory with a claim here is ever removed. A copy of the state directory has
 * other DEV and INO, and so never touches the memory of the original: its regions are without memory. The same holds for a state
 * directory that was moved to another file system.
 *
 * `/dev/shm` belongs to all users. So the memory must be owned by root, by this user, by the owner of the state directory, or
 * belong to the group that shares the directory. Whoever shares the directory may destroy the region; where only the owner of the
 * file may unlink it (the sticky bit), the memory is given back at once and the empty name at the owner's next change.
 */
const SHARED_MEMORY = '/dev/shm';
const CLAIM = /^([0-9a-f]{16})\.ram$/;
const MEMORY = /^udax-\d+-\d+-([0-9a-f]{16})\.mem$/;

/** Whether a path of machine.json has the form above. */
export function isRamName(recorded: string): boolean {
  return MEMORY.test(path.basename(recorded));
}

/** The path of the memory that machine.json has as `recorded` (isRamName): that of this directory, wherever it lies now. */
export function ramMemoryPath(root: string, recorded: string): string {
  return memoryPath(root, hexOf(recorded)!);
}

function hexOf(recorded: string): string | undefined {
  return MEMORY.exec(path.basename(recorded))?.[1];
}

function memoryPath(root: string, hex: string): string {
  const { dev, ino } = fs.statSync(root);
  return path.join(SHARED_MEMORY, `udax-${dev}-${ino}-${hex}.mem`);
}

function claimPath(root: string, hex: string): string {
  return path.join(root, 'regions', `${hex}.ram`);
}

/**
 * Makes memory of `size` bytes, all of it allocated, and its claim.
 * @param mode of the file; the group that shares the state directory gets the memory too
 * @throws DaxError ENOSPC no room in /dev/shm, or not that much memory free; ENOENT, EACCES there is no /dev/shm for this user.
 *   On any error nothing is left.
 */
export function makeRamMemory(root: string, size: number, mode: number): Backing {
  const hex = randomBytes(8).toString('hex');
  const claim = claimPath(root, hex);
  closeDescriptor(makeOwnFile(claim, mode));
  try {
    syncDirectory(path.dirname(claim));
    const backing = createBacking(memoryPath(root, hex), size, { mode });
    giveToGroup(root, backing.fd);
    return backing;
  } catch (error) {
    removeLeftover(claim);
    throw explained(error, size);
  }
}

/** A set-group-ID state directory is shared by its group, as its files are; a file in /dev/shm has to be given to it. */
function giveToGroup(root: string, fd: number): void {
  const { mode, gid } = fs.statSync(root);
  if ((mode & 0o2000) !== 0 && fs.fstatSync(fd).gid !== gid) fs.fchownSync(fd, -1, gid);
}

function explained(error: unknown, size: number): unknown {
  if (!hasCode(error, 'ENOSPC', 'ENOMEM')) {
    return asDaxError(error, `no memory can be made in ${SHARED_MEMORY}`, SHARED_MEMORY);
  }
  const { bavail, bsize } = fs.statfsSync(SHARED_MEMORY);
  return new DaxError(
    'ENOSPC',
    `${SHARED_MEMORY} has no room for ${size} bytes (${bavail * bsize} free, ${(error as Error).message}): choose a smaller size, ` +
      `or mount ${SHARED_MEMORY} with a larger one (a container gets 64 MiB when nothing is said)`,
    { path: SHARED_MEMORY, cause: error },
  );
}

/** Why a file in /dev/shm is not the memory that this machine made; null when it is. `stat` is of the file. */
export function strangerInPlace(root: string, stat: fs.Stats): string | null {
  const directory = fs.statSync(root);
  const known = [0, process.getuid?.(), directory.uid].includes(stat.uid);
  const ofGroup = (directory.mode & 0o020) !== 0 && stat.gid === directory.gid;
  if (known || ofGroup) return null;
  return `the file of that name belongs to user ${stat.uid}, who has no part in this machine`;
}

/**
 * Removes the memory that no region uses. The caller has the exclusive lock of the machine.
 * @param regions those of machine.json
 */
export function sweepRam(root: string, regions: readonly { backing: { path: string } }[]): void {
  for (const entry of claimsIn(root)) {
    const [, hex] = CLAIM.exec(entry) ?? [];
    if (hex === undefined || regions.some(({ backing }) => hexOf(backing.path) === hex)) continue;
    if (mayLose(memoryPath(root, hex))) fs.rmSync(claimPath(root, hex), { force: true });
  }
}

function claimsIn(root: string): string[] {
  try {
    return fs.readdirSync(path.join(root, 'regions'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Gives the memory back. @returns whether the name is gone too */
function mayLose(file: string): boolean {
  let fd: number;
  try {
    fd = openOwnFile(file, { writable: true });
  } catch (error) {
    return hasCode(error, 'ENOENT');
  }
  try {
    if (ofdLockConflict(fd, { start: 0, length: 0 }) !== null) return false;
    return removed(file, fd);
  } finally {
    closeDescriptor(fd);
  }
}

function removed(file: string, fd: number): boolean {
  try {
    fs.unlinkSync(file);
    return true;
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'EACCES')) throw error;
    // It belongs to another user of the group, who alone may take its name away.
    fs.ftruncateSync(fd, 0);
    return false;
  }
}
