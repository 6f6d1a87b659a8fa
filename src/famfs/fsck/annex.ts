/** Checks the annex of a volume: what stopped its replay, what was skipped, and objects that have no name. */
import type { Annex } from '../media/annex.js';
import { annexHeaderLayout } from '../media/annex-layout.js';
import type { AnnexChange } from '../media/annex-record.js';
import type { Superblock } from '../media/layout.js';
import type { Problem } from '../media/problem.js';
import { namelessInodes, reclaimableBytes } from '../media/reclaimable.js';
import { type FileTree, inodeOfEntry } from '../media/tree.js';

export interface AnnexReport {
  /** How many annexes there are. */
  files: number;
  records: number;
  slots: number;
  usedSlots: number;
  /** Bytes that no name reaches: a rewrite gives them back. */
  reclaimable: number;
}

/** How many nameless objects are named in the report. */
const MOST_NAMED = 10;

export function checkAnnex(
  tree: FileTree,
  superblock: Superblock,
  report: { annex: AnnexReport | null; errors: Problem[]; notes: Problem[] },
): void {
  const { annex } = tree;
  if (annex === null) return;
  if (annex.stopped !== null) report.errors.push(annex.stopped);
  const { slots, used } = annex.usage();
  report.annex = {
    files: annex.files.length,
    records: annex.records,
    slots,
    usedSlots: used,
    reclaimable: reclaimableBytes(tree, superblock.allocUnit),
  };
  noteTornAppend(annex, report.notes);
  noteNameless(tree, annex, report.notes);
}

/** A killed writer leaves next_seqnum one ahead of the records. Anything else is an error of the header. */
function noteTornAppend(annex: Annex, notes: Problem[]): void {
  const file = annex.files.at(-1);
  if (file === undefined || annex.stopped !== null) return;
  const seqnum = file.nextSeqnum();
  if (seqnum === annex.records) return;
  const offset = file.offset + annexHeaderLayout.fields.nextSeqnum.offset;
  const message =
    seqnum === annex.records + 1
      ? `annex ${file.place.number}: next_seqnum at byte ${offset} is one ahead of its ${annex.records} records: a writer died while publishing; the next writer repairs it`
      : `annex ${file.place.number}: next_seqnum at byte ${offset} is ${seqnum}, there are ${annex.records} records: nothing can be added`;
  notes.push({ code: 'torn-annex-append', message, offset });
}

/** Notes objects that no record ever named: their writer died in between, or C famfs gave them a name that the annex gives to others. */
function noteNameless(tree: FileTree, annex: Annex, notes: Problem[]): void {
  const nameless = namelessInodes(tree);
  if (nameless.length === 0) return;
  const mentioned = new Set<number>();
  for (const { record } of annex.recordsFrom({ seqnum: 0, file: 0, slot: 0 }))
    if (record.change !== null) for (const ino of inodesOf(record.change)) mentioned.add(ino);
  const never = nameless.filter((ino) => !mentioned.has(ino));
  if (never.length === 0) return;
  const shown = never
    .slice(0, MOST_NAMED)
    .map((ino) => `entry ${ino - inodeOfEntry(0)} ('${tree.basePathOf(ino)}')`)
    .join(', ');
  const more = never.length > MOST_NAMED ? ` and ${never.length - MOST_NAMED} more` : '';
  const message =
    `no name leads to log ${shown}${more}: the writer died before it gave the name, or C famfs took a name that the annex gives to ` +
    'something else; a rewrite gives the space back';
  notes.push({ code: 'annex-nameless', message, entry: never[0]! - inodeOfEntry(0) });
}

function inodesOf(change: AnnexChange): number[] {
  const inodes = 'ino' in change ? [change.ino] : [];
  if ('replaced' in change) inodes.push(change.replaced);
  if (change.kind === 'exchange') inodes.push(change.other);
  if (change.kind === 'replace') inodes.push(change.content);
  return inodes;
}
