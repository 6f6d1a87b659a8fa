/**
 * fsck: every check of a medium, in one report. It only reads. Damage is reported, never thrown.
 * A superblock that fails its check ends the checks, because nothing else can be trusted. A bad log header does not:
 * the superblock says where the entries are.
 */
import { DaxError, hasCode } from '../../libc/index.js';
import type { AllocationMap } from '../media/allocation-map.js';
import { newAllocationMap } from '../media/allocator.js';
import {
  FAMFS_OMF_MAJOR,
  FAMFS_OMF_MINOR,
  logHeaderLayout,
  type Superblock,
  slotOffset,
  superblockLayout,
} from '../media/layout.js';
import {
  checkLogHeader,
  decodeLogHeader,
  Log,
  logHeaderFaults,
  logHeaderNumberFaults,
} from '../media/log.js';
import type { LostRange, Media } from '../media/media.js';
import type { Problem } from '../media/problem.js';
import { cutShortRewrite, describeCutShort } from '../media/rewrite-left.js';
import { RECORD_OFFSET } from '../media/rewrite-record.js';
import { asRewritten } from '../media/rewrite-switch.js';
import { type Role, roleOf } from '../media/role.js';
import {
  checkSuperblock,
  decodeSuperblock,
  superblockBytes,
  superblockFaults,
  superblockNumberFaults,
} from '../media/superblock.js';
import { interruptedTakeOver } from '../media/take-over.js';
import { FileTree } from '../media/tree.js';
import { type AnnexReport, checkAnnex } from './annex.js';
import { type BucketReport, bucketReports } from './buckets.js';
import { filesPastEnd, lostFiles, lostIn } from './lost-files.js';
import { nameOverlaps } from './overlaps.js';

export interface FsckOptions {
  /** Uuid of this host; with it the report tells this host's role. */
  systemUuid?: string;
  /** Adds a report of the device in this many equal parts, 1 to 64 (-B). */
  buckets?: number;
}

export interface LogReport {
  length: number;
  slots: number;
  lastIndex: number;
  nextIndex: number;
  nextSeqnum: number;
  /** Bytes in use, header included. */
  usedBytes: number;
  /** Entries that fail their checks. */
  badEntries: number;
}

/**
 * Space, counted as in C: the superblock and log are allocated, and a unit that two files share counts once. Bytes, unless said
 * otherwise.
 */
export interface CapacityReport {
  device: number;
  /** `units` times the unit. A partial last unit counts as a whole one. */
  bitmap: number;
  sumOfFileSizes: number;
  allocated: number;
  free: number;
  /** allocated / sumOfFileSizes; null when there are no files. */
  spaceAmplification: number | null;
  percentUsed: number;
  /** How many units are taken more than once. */
  collisions: number;
  allocUnit: number;
  units: number;
}

export interface FsckReport {
  /** True when there are no errors. Notes do not count. */
  ok: boolean;
  errors: Problem[];
  notes: Problem[];
  superblock: (Superblock & { role: Role | null }) | null;
  log: LogReport | null;
  capacity: CapacityReport | null;
  /** What the annex says; null when there is none. */
  annex: AnnexReport | null;
  /** Entries of the log, as C counts them. */
  files: number;
  directories: number;
  buckets?: BucketReport;
}

const HOW_TO_SALVAGE =
  'copy out what is left (mountFamfs(device, { salvage: true })), mkfs(device, { force: true }), copy it in';
const MAX_LOSSES = 100;
const MOST_LOOKS = 1000;

/** Codes of replay notes that fsck reports as errors. */
const NOTES_THAT_ARE_ERRORS = new Set(['unknown-type']);

/** Checks a medium. It never writes, and never throws for what it finds. EINVAL for a bad number of buckets. */
export function fsckMedia(whole: Media, options: FsckOptions = {}): FsckReport {
  const report: FsckReport = {
    ok: false,
    errors: [],
    notes: [],
    superblock: null,
    log: null,
    capacity: null,
    annex: null,
    files: 0,
    directories: 0,
  };
  try {
    const media = asRewritten(whole);
    const lost = media.lost?.(0, media.size) ?? [];
    const superblock = checkTheSuperblock(media, report, options, lost);
    if (superblock === null) return report;
    noteRewrite(whole, media, report);
    checkTheLog(media, superblock, report, options, lost);
  } catch (error) {
    // The memory went away during the check.
    if (!hasCode(error, 'EIO', 'ENODEV', 'ENXIO')) throw error;
    report.errors.push({ code: 'memory', message: (error as Error).message });
  }
  report.ok = report.errors.length === 0;
  return report;
}

/** @returns the superblock; null when nothing behind it can be checked */
function checkTheSuperblock(
  media: Media,
  report: FsckReport,
  options: FsckOptions,
  lost: readonly LostRange[],
): Superblock | null {
  const loss = lostIn(lost, 0, superblockLayout.size);
  if (loss !== null) {
    report.errors.push({
      code: 'superblock-memory',
      message: `the superblock cannot be read: ${loss.why}; ${HOW_TO_SALVAGE}`,
      offset: loss.offset,
      hint: 'salvage',
    });
    return null;
  }
  const bytes = superblockBytes(media);
  const { problem } = checkSuperblock(bytes);
  if (problem !== null) report.errors.push(problem);
  if (bytes === null || problem?.code === 'superblock-magic') return null;
  const unsafe = superblockNumberFaults(bytes);
  report.errors.push(...unsafe);
  if (unsafe.length > 0) return null;
  const superblock = decodeSuperblock(bytes);
  const { systemUuid } = options;
  const role = systemUuid === undefined ? null : roleOf(superblock, systemUuid);
  report.superblock = { ...superblock, role };
  if (problem !== null) {
    noteTakeOver(media, report);
    return null;
  }
  const faults = superblockFaults(superblock, media.size);
  report.errors.push(...faults);
  checkFormatVersion(superblock, report);
  if (superblock.deviceSize < media.size) {
    const message = `the device has ${media.size} bytes, the file system uses ${superblock.deviceSize}`;
    report.notes.push({ code: 'device-larger', message });
  }
  const isUnreachable = faults.some(({ code }) => code !== 'superblock-device-size');
  return isUnreachable ? null : superblock;
}

/** Checks the version of the media format. C stores it and never compares it. */
function checkFormatVersion({ omfMajor, omfMinor }: Superblock, report: FsckReport): void {
  if (omfMajor === FAMFS_OMF_MAJOR && omfMinor <= FAMFS_OMF_MINOR) return;
  const { offset } = superblockLayout.fields[omfMajor === FAMFS_OMF_MAJOR ? 'omfMinor' : 'omfMajor'];
  const message =
    `media format at byte ${offset} is ${omfMajor}.${omfMinor}, this software knows ` +
    `${FAMFS_OMF_MAJOR}.${FAMFS_OMF_MINOR}: entries may mean more than it sees`;
  const list = omfMajor === FAMFS_OMF_MAJOR ? report.notes : report.errors;
  list.push({ code: 'superblock-omf', message, offset });
}

/** Notes a rewrite that was cut short. The report is about what readers see: the new log once it was decided, else the old one. */
function noteRewrite(media: Media, seen: Media, report: FsckReport): void {
  const left = cutShortRewrite(media);
  if (left === null) return;
  const next =
    seen === media
      ? 'the next mount as the master removes its record'
      : 'readers see that, and the next mount as the master completes it';
  const message = `${describeCutShort(left)}: ${next}`;
  report.notes.push({ code: 'torn-rewrite', message, offset: RECORD_OFFSET, hint: 'complete-rewrite' });
}

/** Notes that the crc is wrong because a take-over was interrupted: another takeOver() repairs such a superblock. */
function noteTakeOver(media: Media, report: FsckReport): void {
  const torn = interruptedTakeOver(media);
  if (torn === null) return;
  const message = `host ${torn.to} died while taking over from ${torn.from}: takeOver(device, { force: true }) completes it`;
  report.notes.push({ code: 'torn-take-over', message, hint: 'take-over-force' });
}

function checkTheLog(
  media: Media,
  superblock: Superblock,
  report: FsckReport,
  options: FsckOptions,
  lost: readonly LostRange[],
): void {
  const log = Log.at(media, superblock, { pastLosses: true });
  reportLostMetadata(superblock, report, lost);
  if (log.lossAt(0, logHeaderLayout.size) === null) checkHeader(log, superblock, report);
  const allocation = mapOf(superblock, report);
  if (allocation === null) return;
  const tree = new FileTree(superblock, log, { allocation });
  tree.replay({ pastBadEntries: true });
  collectReplay(tree, report, superblock);
  report.errors.push(...lostFiles(tree, lost));
  noteShortImage(media, tree, report);
  report.log = logReport(log, tree);
  report.capacity = capacityReport(superblock, allocation, tree);
  checkAnnex(tree, superblock, report);
  if (options.buckets !== undefined) report.buckets = bucketReports(superblock, allocation, options.buckets);
}

/** Notes an image that holds only the head of its device. That is no damage, but the data of some files is not there. */
function noteShortImage(media: Media, tree: FileTree, report: FsckReport): void {
  const { imageEnd } = media;
  if (imageEnd === undefined) return;
  const files = filesPastEnd(tree, imageEnd);
  if (files === 0) return;
  const message = `the image ends at byte ${imageEnd} of its device: ${files} files are not, or not wholly, in it`;
  report.notes.push({ code: 'image-short', message, offset: imageEnd });
}

/** Reports lost memory anywhere before the data, used or not: a mount refuses such a device too. */
function reportLostMetadata(superblock: Superblock, report: FsckReport, lost: readonly LostRange[]): void {
  const end = superblock.logOffset + superblock.logLength;
  const inMetadata = lost.filter(({ offset }) => offset < end);
  for (const { offset, length, why } of inMetadata.slice(0, MAX_LOSSES)) {
    const bytes = Math.min(length, end - offset);
    const what = offset < superblock.logOffset ? 'superblock area' : 'log';
    const message = `${bytes} bytes of the ${what} at byte ${offset} cannot be read: ${why}; ${HOW_TO_SALVAGE}`;
    report.errors.push({ code: 'metadata-memory', message, offset, hint: 'salvage' });
  }
}

function checkHeader(log: Log, superblock: Superblock, report: FsckReport): void {
  const header = log.headerBytes();
  const problem = checkLogHeader(header, log.offset);
  if (problem !== null) report.errors.push(problem);
  else {
    const unsafe = logHeaderNumberFaults(header, log.offset);
    const faults =
      unsafe.length > 0 ? unsafe : logHeaderFaults(decodeLogHeader(header, log.offset), superblock);
    report.errors.push(...faults);
  }
  checkIndices(log, report);
}

/**
 * Both indices as of one moment: other processes may append during the check. When they append all the time, it gives up after
 * MOST_LOOKS tries and returns what it saw last.
 */
function indicesNow(log: Log): { index: number; seqnum: number } {
  for (let looks = 1; ; looks++) {
    const index = log.nextIndex();
    const seqnum = log.nextSeqnum();
    if (looks === MOST_LOOKS || log.nextIndex() === index) return { index, seqnum };
  }
}

/** Compares next_index with the number of slots and with next_seqnum. A killed writer leaves next_seqnum one ahead. */
function checkIndices(log: Log, report: FsckReport): void {
  const { index, seqnum } = indicesNow(log);
  const { nextIndex, nextSeqnum } = logHeaderLayout.fields;
  if (index > log.slots) {
    const offset = log.offset + nextIndex.offset;
    const message = `next_index at byte ${offset} is ${index}, the log has ${log.slots} slots`;
    report.errors.push({ code: 'log-index', message, offset });
  }
  if (seqnum === index) {
    noteUnpublished(log, index, report);
    return;
  }
  const offset = log.offset + nextSeqnum.offset;
  if (seqnum === index + 1) {
    const message = `next_seqnum at byte ${offset} is one ahead of next_index ${index}: a writer died while publishing; the next writer repairs it`;
    report.notes.push({ code: 'torn-append', message, entry: index, offset });
  } else {
    const message = `next_seqnum at byte ${offset} is ${seqnum}, next_index is ${index}: they must be equal`;
    report.errors.push({ code: 'log-seqnum', message, offset });
  }
}

/** Notes a good entry just behind the last published one. Its writer died before publishing it; it is harmless. */
function noteUnpublished(log: Log, index: number, report: FsckReport): void {
  if (index >= log.slots || log.checkEntry(index).length > 0) return;
  const message = `log entry ${index} is written but not published: its writer died first; the next append overwrites it`;
  report.notes.push({ code: 'unpublished-entry', message, entry: index, offset: log.entryOffset(index) });
}

function collectReplay(tree: FileTree, report: FsckReport, superblock: Superblock): void {
  report.errors.push(...nameOverlaps(tree, superblock, tree.problems));
  for (const note of tree.notes) {
    (NOTES_THAT_ARE_ERRORS.has(note.code) ? report.errors : report.notes).push(note);
  }
  if (tree.devices.count > 1) {
    const list = tree.devices.list().slice(1);
    const uuids = list.map(({ uuid, size }, i) => `${i + 1}: ${uuid} (${size} bytes)`).join(', ');
    const message = `the volume names other devices, whose content is not checked: ${uuids}`;
    report.notes.push({ code: 'other-devices', message });
  }
  report.files = tree.counts.files;
  report.directories = tree.counts.directories;
}

function logReport(log: Log, tree: FileTree): LogReport {
  const isHeaderThere = log.lossAt(0, logHeaderLayout.size) === null;
  const nextIndex = isHeaderThere ? log.nextIndex() : tree.nextIndex;
  return {
    length: log.length,
    slots: log.slots,
    lastIndex: log.slots - 1,
    nextIndex,
    nextSeqnum: isHeaderThere ? log.nextSeqnum() : nextIndex,
    usedBytes: slotOffset(nextIndex),
    badEntries: tree.counts.badEntries,
  };
}

function capacityReport(superblock: Superblock, map: AllocationMap, tree: FileTree): CapacityReport {
  const { allocUnit, deviceSize } = superblock;
  const allocated = map.countSet() * allocUnit;
  const bitmap = map.units * allocUnit;
  const { sumOfFileSizes } = tree.counts;
  return {
    device: deviceSize,
    bitmap,
    sumOfFileSizes,
    allocated,
    free: bitmap - allocated,
    spaceAmplification: sumOfFileSizes === 0 ? null : allocated / sumOfFileSizes,
    percentUsed: (100 * allocated) / bitmap,
    collisions: tree.usage?.collisions ?? 0,
    allocUnit,
    units: map.units,
  };
}

/** A new allocation map. Null, with an error in the report, when the device has more units than udax can count. */
function mapOf(superblock: Superblock, report: FsckReport): AllocationMap | null {
  try {
    return newAllocationMap(superblock);
  } catch (error) {
    if (!(error instanceof DaxError)) throw error;
    const { offset } = superblockLayout.fields.deviceSize;
    report.errors.push({
      code: 'device-size',
      message: `device size at byte ${offset}: ${error.message}`,
      offset,
    });
    return null;
  }
}
