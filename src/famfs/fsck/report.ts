/** Renders a report as text in the layout of the C tool. The errors and notes, which C does not have, follow at the end. */
import { superblockLayout } from '../media/layout.js';
import type { AnnexReport } from './annex.js';
import type { Bucket, BucketReport } from './buckets.js';
import type { CapacityReport, FsckReport, LogReport } from './fsck.js';

export interface RenderOptions {
  /** GiB with two decimals instead of bytes. */
  human?: boolean;
}

const GIB = 2 ** 30;
const roleText = { master: 'Owner', client: 'Client' } as const;

export function renderFsckReport(report: FsckReport, options: RenderOptions = {}): string {
  const bytes = options.human === true ? (n: number) => `${(n / GIB).toFixed(2)}G` : String;
  const blocks: string[] = [];
  if (report.superblock !== null) blocks.push(superblockText(report.superblock));
  if (report.log !== null && report.capacity !== null) {
    blocks.push(logText(report.log, report.capacity.collisions));
    if (report.capacity.collisions === 0) blocks.push(capacityText(report.capacity, bytes, options));
    blocks.push(entriesText(report, report.log));
    if (report.annex !== null) blocks.push(annexText(report.annex));
  }
  if (report.buckets !== undefined) blocks.push(bucketsText(report.buckets, report.capacity?.allocUnit ?? 1));
  const findings = [
    ...report.errors.map(({ code, message }) => `ERROR ${code}: ${message}`),
    ...report.notes.map(({ code, message }) => `note ${code}: ${message}`),
  ];
  if (findings.length > 0) blocks.push(findings.join('\n'), '\n');
  return blocks.join('');
}

function superblockText(superblock: NonNullable<FsckReport['superblock']>): string {
  return `${[
    'Famfs Superblock:',
    `  Filesystem UUID:   ${superblock.uuid}`,
    `  Device UUID:       ${superblock.deviceUuid}`,
    `  System UUID:       ${superblock.systemUuid}`,
    `  role of this node: ${superblock.role === null ? 'unknown' : roleText[superblock.role]}`,
    `  alloc_unit:        0x${superblock.allocUnit.toString(16)}`,
    `  OMF major version: ${superblock.omfMajor}`,
    `  OMF minor version: ${superblock.omfMinor}`,
    `  sizeof superblock: ${superblockLayout.size}`,
    `  log size (bytes):  ${superblock.logLength}`,
    `  primary: ${superblock.deviceName}   ${superblock.deviceSize}`,
  ].join('\n')}\n\n`;
}

function logText(log: LogReport, collisions: number): string {
  const verdict =
    collisions === 0 ? '  No allocation errors found\n' : `ERROR: ${collisions} ALLOCATION COLLISIONS FOUND`;
  return `${[
    'Log stats:',
    `  # of log entries in use: ${log.nextIndex} of ${log.slots}`,
    `  Log size in use:          ${log.usedBytes}`,
    `  Log size (total bytes)    ${log.length}`,
    verdict,
  ].join('\n')}\n`;
}

function capacityText(
  capacity: CapacityReport,
  bytes: (n: number) => string,
  { human }: RenderOptions,
): string {
  const amplification = capacity.spaceAmplification;
  return `${[
    'Capacity:',
    `  Device capacity:        ${bytes(capacity.device)}`,
    `  Bitmap capacity:        ${bytes(capacity.bitmap)}`,
    `  Sum of file sizes:      ${bytes(capacity.sumOfFileSizes)}`,
    `  Allocated ${human === true ? 'space:' : 'bytes:'}        ${bytes(capacity.allocated)}`,
    `  Free space:             ${bytes(capacity.free)}`,
    `  Space amplification:     ${amplification === null ? 'inf' : amplification.toFixed(2)}`,
    `  Percent used:            ${capacity.percentUsed.toFixed(1)}%`,
  ].join('\n')}\n\n`;
}

function entriesText(report: FsckReport, log: LogReport): string {
  return `${[
    'Famfs log:',
    `  ${log.nextIndex} of ${log.slots} entries used`,
    `  ${log.badEntries} bad log entries detected`,
    `  ${report.files} files`,
    `  ${report.directories} directories`,
  ].join('\n')}\n\n`;
}

function annexText({ files, records, slots, usedSlots, reclaimable }: AnnexReport): string {
  return `${[
    'Annex (udax):',
    `  ${records} records in ${usedSlots} of ${slots} slots, ${files} ${files === 1 ? 'file' : 'files'}`,
    `  ${reclaimable} bytes that no name reaches`,
  ].join('\n')}\n\n`;
}

function bucketsText({ overhang, buckets }: BucketReport, unit: number): string {
  const lines = ['Stripe bucket info:', `  Wasted overhang: ${overhang} bytes (${overhang / unit} au)`];
  buckets.forEach((bucket, i) => {
    lines.push(`  Bitmap range ${i}`, ...bucketLines(bucket));
  });
  return `${lines.join('\n')}\n`;
}

function bucketLines(bucket: Bucket): string[] {
  return [
    `    Size:   ${bucket.size}`,
    `    In use: ${bucket.inUse}`,
    `    Free:   ${bucket.free}`,
    `    Free fragments: ${bucket.freeFragments}`,
    `    Largest frag:   ${bucket.largestFragment}`,
    `    Smallest frag:  ${bucket.smallestFragment}`,
  ];
}
