import fs from 'node:fs';
import path from 'node:path';
import {
  closeDescriptor,
  fail,
  hasCode,
  isSameFile,
  ofdLockConflict,
  openOwnFile,
  syncDirectory,
} from '../../libc/index.js';

/**
 * The memory files that a state directory makes for itself. machine.json names them relatively (`regions/0.mem`), so that the directory
 * may be moved, renamed, mounted elsewhere or copied: a copy has memory of its own.
 *
 *     regions/R.mem       memory of region R
 *     regions/R.mem.new   of a region that is being made: has its name when machine.json names it
 *     regions/R.mem.old   of a region that is being destroyed: gone when machine.json names it no more
 *
 * The last two are the mark. Only what bears it is ever deleted, and only when no region of machine.json is on it and nobody has
 * it locked. A process that is killed in between leaves `.new` or `.old`; where machine.json names the file all the same, the mark
 * is taken off again. Names are changed under the exclusive lock only.
 */
const NEW = '.new';
const OLD = '.old';
const FOLDER = 'regions';
const MARKED = /^\d+\.mem\.(new|old)$/;

/** What machine.json calls the memory of a region. */
export function ownMemoryName(region: number): string {
  return `${FOLDER}/${region}.mem`;
}

/** Where the memory of a region that is being made goes. */
export function draftOf(root: string, name: string): string {
  return path.join(root, name + NEW);
}

/** The file that is there under a name of machine.json, whatever mark it bears just now. */
export function ownMemoryPath(root: string, name: string): string {
  const file = path.join(root, name);
  for (const mark of ['', NEW, OLD]) if (fs.existsSync(file + mark)) return file + mark;
  return file;
}

/** The region is in machine.json: its memory takes its name. */
export function settle(root: string, name: string): void {
  const file = path.join(root, name);
  if (fs.existsSync(file + NEW)) fs.renameSync(file + NEW, file);
}

/** Marks memory that machine.json is about to name no more: on the disk too, or after a power cut a file would lie there that nobody owns. */
export function retire(root: string, names: readonly string[]): void {
  for (const name of names) moveAway(path.join(root, name), OLD);
  if (names.length > 0) syncDirectory(path.join(root, FOLDER));
}

/** machine.json names it still. */
export function takeBack(root: string, name: string): void {
  const file = path.join(root, name);
  if (!fs.existsSync(file) && fs.existsSync(file + OLD)) fs.renameSync(file + OLD, file);
}

function moveAway(file: string, mark: string): void {
  try {
    fs.renameSync(file, file + mark);
  } catch (error) {
    // Somebody removed it by hand: then there is nothing to delete.
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/**
 * Removes what was marked by a process that did not come to its end. Under the exclusive lock.
 * @param named the names that machine.json has now
 */
export function sweepMarked(root: string, named: readonly string[]): void {
  for (const name of named) {
    takeBack(root, name);
    if (!fs.existsSync(path.join(root, name))) settle(root, name);
  }
  const inUse = named.flatMap((name) => fs.statSync(path.join(root, name), { throwIfNoEntry: false }) ?? []);
  for (const entry of entriesOf(path.join(root, FOLDER))) {
    if (!MARKED.test(entry)) continue;
    const file = path.join(root, FOLDER, entry);
    if (mayGo(file, inUse)) fs.rmSync(file, { force: true });
  }
}

function entriesOf(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function mayGo(file: string, inUse: readonly fs.Stats[]): boolean {
  let fd: number;
  try {
    fd = openOwnFile(file, { writable: true });
  } catch {
    return false; // a link, a directory, closed to us: nothing that we made
  }
  try {
    const stat = fs.fstatSync(fd);
    if (inUse.some((used) => isSameFile(used, stat))) return false;
    return ofdLockConflict(fd, { start: 0, length: 0 }) === null;
  } finally {
    closeDescriptor(fd);
  }
}

/** @throws DaxError EEXIST a file is where the memory of a new region goes, and no region is on it */
export function refuseStranger(root: string, name: string): void {
  const file = path.join(root, name);
  if (!fs.existsSync(file)) return;
  fail(
    'EEXIST',
    `${file} is there, but machine.json knows no region on it: move it away (it may hold files of a region that was lost)`,
    { path: file },
  );
}
