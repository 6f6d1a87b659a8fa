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
 * The memory files that a state directory makes for itself. machine.json names them relatively (`regions/0.mem`), so that the
 * directory can be moved, renamed, mounted elsewhere or copied. A copy has its own memory.
 *
 *     regions/R.mem       memory of region R
 *     regions/R.mem.new   memory of a region that is being made; renamed to R.mem once machine.json names it
 *     regions/R.mem.old   memory of a region that is being destroyed; removed once machine.json no longer names it
 *
 * `.new` and `.old` are the marks. Only a marked file is ever deleted, and only when no region of machine.json uses it and no
 * process has locked it. A process that is killed in between leaves a marked file. When machine.json names such a file all the
 * same, the mark is removed. Names change under the exclusive lock only.
 */
const NEW = '.new';
const OLD = '.old';
const FOLDER = 'regions';
const MARKED = /^\d+\.mem\.(new|old)$/;

/** The name of a region's memory in machine.json. */
export function ownMemoryName(region: number): string {
  return `${FOLDER}/${region}.mem`;
}

/** The path of the memory of a region that is being made. */
export function draftOf(root: string, name: string): string {
  return path.join(root, name + NEW);
}

/** The path of the file behind a name of machine.json, with the mark that it has now. */
export function ownMemoryPath(root: string, name: string): string {
  const file = path.join(root, name);
  for (const mark of ['', NEW, OLD]) if (fs.existsSync(file + mark)) return file + mark;
  return file;
}

/** Removes the `.new` mark, once machine.json has the region. */
export function settle(root: string, name: string): void {
  const file = path.join(root, name);
  if (fs.existsSync(file + NEW)) fs.renameSync(file + NEW, file);
}

/**
 * Marks memory that machine.json is about to stop naming. The new names are made durable: else a power cut could leave a file
 * that no machine owns.
 */
export function retire(root: string, names: readonly string[]): void {
  for (const name of names) moveAway(path.join(root, name), OLD);
  if (names.length > 0) syncDirectory(path.join(root, FOLDER));
}

/** Removes the `.old` mark, because machine.json still names the memory. */
export function takeBack(root: string, name: string): void {
  const file = path.join(root, name);
  if (!fs.existsSync(file) && fs.existsSync(file + OLD)) fs.renameSync(file + OLD, file);
}

function moveAway(file: string, mark: string): void {
  try {
    fs.renameSync(file, file + mark);
  } catch (error) {
    // A user removed the file by hand, so there is nothing to delete.
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/**
 * Removes files that a killed process left marked. The caller has the exclusive lock.
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
    return false; // a link, a directory or a file that cannot be opened: this machine did not make it
  }
  try {
    const stat = fs.fstatSync(fd);
    if (inUse.some((used) => isSameFile(used, stat))) return false;
    return ofdLockConflict(fd, { start: 0, length: 0 }) === null;
  } finally {
    closeDescriptor(fd);
  }
}

/** @throws DaxError EEXIST there is a file at the path of a new region's memory, and no region uses it */
export function refuseStranger(root: string, name: string): void {
  const file = path.join(root, name);
  if (!fs.existsSync(file)) return;
  fail(
    'EEXIST',
    `${file} is there, but machine.json knows no region on it: move it away (it may hold files of a region that was lost)`,
    { path: file },
  );
}
