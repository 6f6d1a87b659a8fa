/** A volume: figures, names, log, checks. */
import { fail } from '../../libc/index.js';
import type { HolderInfo } from '../../machine/index.js';
import type { FileView, FsckView, LogItem, TreeItem, TreeView, VolumeView } from '../wire.js';
import type { Looked } from './looked.js';
import { extentsOf, inodeAt, shownPath } from './paths.js';

const MOST_NAMES = 1000;
const MOST_ENTRIES = 500;
const MOST_FOUND = 50;

export function volumeOf(device: string, { survey, units }: Looked, holders: HolderInfo[]): VolumeView {
  const { superblock, tree } = survey;
  const { longest, count } = survey.freeRuns;
  const { allocUnit, logLength, uuid, systemUuid } = superblock;
  return {
    device,
    uuid,
    owner: systemUuid,
    role: survey.role,
    allocUnit,
    logBytes: logLength,
    space: survey.statfs(),
    fragments: { longestFree: longest, freeRuns: count, filesInPieces: units.filesInPieces },
    problems: tree.problemsAndStop.map(({ code, message }) => ({ code, message })),
    holders: holders.filter((holder) => holder.device === device),
  };
}

/** The names of a directory, from number `from` on. @throws DaxError ENOENT, ENOTDIR */
export function treeOf({ survey }: Looked, path: string, from: number): TreeView {
  const { tree } = survey;
  const directory = inodeAt(tree, path);
  if (!tree.isDirectory(directory)) fail('ENOTDIR', `${path} is no directory`, { path });
  const items: TreeItem[] = [];
  let total = 0;
  const base = path === '/' ? '' : path.replace(/\/$/, '');
  for (const { name, ino } of tree.entries(directory)) {
    if (total >= from && items.length < MOST_NAMES) {
      const { type, size, mode } = tree.stat(ino);
      const file = extentsOf(tree, ino);
      items.push({
        name,
        path: `${base}/${name}`,
        type,
        size,
        mode,
        extents: file?.fmap.extents.length ?? 0,
        capacity: file?.capacity ?? 0,
      });
    }
    total++;
  }
  return { path: base === '' ? '/' : base, items, total };
}

/** @throws DaxError ENOENT; EISDIR it has no extents */
export function fileOf({ survey }: Looked, path: string): FileView {
  const { tree } = survey;
  const ino = inodeAt(tree, path);
  const found = extentsOf(tree, ino) ?? fail('EISDIR', `${path} has no extents`, { path });
  const { fmap, capacity } = found;
  return {
    path: `/${tree.pathOf(ino)}`,
    ino,
    size: tree.stat(ino).size,
    capacity,
    type: fmap.type,
    chunkSize: fmap.type === 'interleaved' ? fmap.chunkSize : null,
    extents: fmap.extents,
  };
}

/** Paths of files whose path has `text` in it, the first ones. */
export function searchOf({ survey }: Looked, text: string): string[] {
  const { tree } = survey;
  const found: string[] = [];
  if (text === '') return found;
  for (let ino = 2; ino < tree.nextIndex + 2 && found.length < MOST_FOUND; ino++) {
    if (!tree.has(ino) || tree.isDirectory(ino) || survey.removed.has(ino)) continue;
    const path = `/${tree.pathOf(ino)}`;
    if (path.includes(text)) found.push(path);
  }
  return found;
}

/** Log entries before number `before`, the youngest first. */
export function logOf(looked: Looked, before: number, count: number): LogItem[] {
  const { tree, removed } = looked.survey;
  const end = Math.min(before, tree.nextIndex);
  const items: LogItem[] = [];
  for (let index = end - 1; index >= Math.max(0, end - Math.min(count, MOST_ENTRIES)); index--) {
    const ino = index + 2;
    if (!tree.has(ino)) {
      items.push({ index, kind: 'no name', path: '', size: 0, extents: 0, isRemoved: false });
      continue;
    }
    const { type, size } = tree.stat(ino);
    items.push({
      index,
      kind: type === 'directory' ? 'mkdir' : type,
      path: shownPath(looked, ino),
      size,
      extents: extentsOf(tree, ino)?.fmap.extents.length ?? 0,
      isRemoved: removed.has(ino),
    });
  }
  return items;
}

export function fsckOf({ survey }: Looked): FsckView {
  const started = performance.now();
  const { ok, errors, notes } = survey.fsck();
  const told = (problems: readonly { code: string; message: string }[]) =>
    problems.map(({ code, message }) => ({ code, message }));
  return { ok, errors: told(errors), notes: told(notes), milliseconds: performance.now() - started };
}
