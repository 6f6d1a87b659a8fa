/** What records of an annex are to somebody who watches names. */
import type { AnnexPosition } from '../media/annex.js';
import { ANNEX_INO_START } from '../media/annex-layout.js';
import type { AnnexChange } from '../media/annex-record.js';
import type { FileTree } from '../media/tree.js';

/** A name that is gone, or that changed. Paths are those that the directories have now. */
export interface RemovedName {
  path: string;
  ino: number;
}

export interface RenamedName {
  from: string;
  to: string;
  ino: number;
}

export interface AnnexEvents {
  removed: RemovedName[];
  renamed: RenamedName[];
  /** Inode numbers of what got a name. */
  named: number[];
  next: AnnexPosition;
}

/** What the records from a position on did, at most `most` of them. */
export function annexEvents(tree: FileTree, from: AnnexPosition, most: number): AnnexEvents {
  const events: AnnexEvents = { removed: [], renamed: [], named: [], next: from };
  let count = 0;
  for (const { record, next } of tree.annex?.recordsFrom(from) ?? []) {
    events.next = next;
    if (record.change !== null) add(tree, record.change, record.seqnum, events);
    if (++count === most) break;
  }
  return events;
}

function add(
  tree: FileTree,
  change: AnnexChange,
  seqnum: number,
  { removed, renamed, named }: AnnexEvents,
): void {
  if ('replaced' in change && change.replaced !== 0) {
    const at =
      change.kind === 'rename'
        ? pathIn(tree, change.newDirectory, change.newName)
        : pathIn(tree, change.directory, change.name);
    removed.push({ path: at, ino: change.replaced });
  }
  if (change.kind === 'unbind')
    removed.push({ path: pathIn(tree, change.directory, change.name), ino: change.ino });
  else if (change.kind === 'bind') named.push(change.ino);
  else if (change.kind === 'make') named.push(ANNEX_INO_START + seqnum);
  else if (change.kind === 'rename' || change.kind === 'exchange') {
    const from = pathIn(tree, change.directory, change.name);
    const to = pathIn(tree, change.newDirectory, change.newName);
    renamed.push({ from, to, ino: change.ino });
    if (change.kind === 'exchange') renamed.push({ from: to, to: from, ino: change.other });
  }
}

function pathIn(tree: FileTree, directory: number, name: string): string {
  const above = tree.has(directory) ? tree.pathOf(directory) : '';
  return above === '' ? `/${name}` : `/${above}/${name}`;
}
