import {
  deviceMedia,
  FileTree,
  Log,
  type Problem,
  readableLog,
  readSuperblock,
  replayToShadow,
  type ShadowReport,
} from '../../famfs/index.js';
import { deviceArgument } from '../arguments/address.js';
import type { Context } from '../context.js';
import { AlreadyReported, UsageError } from '../errors.js';
import { withDevice } from '../opening.js';
import { count } from '../output/human.js';

interface LogplayFlags {
  dryrun?: boolean;
  plain?: boolean;
  shadow?: string;
  daxdev?: string;
}

/** `udax logplay` */
export function logplay(context: Context, [text]: string[], flags: LogplayFlags): void {
  const where = deviceArgument(deviceOf(text, flags));
  if (flags.dryrun) dryRun(context, where, flags.plain ?? false);
  else if (flags.shadow !== undefined) playToShadow(context, where, flags.shadow);
  else {
    throw new UsageError(
      'logplay wants -n (count only) or --shadow DIR: udax keeps its own tree in memory, a replay has nowhere else to go',
    );
  }
}

/** udax takes the device as an argument; C's tool takes it as an option. */
function deviceOf(text: string | undefined, { daxdev }: LogplayFlags): string {
  if (text !== undefined && daxdev !== undefined)
    throw new UsageError('DEVICE and --daxdev both name a device');
  return text ?? daxdev ?? noDevice();
}

function noDevice(): never {
  throw new UsageError('logplay needs a DEVICE, like dax0.0 or pool.img');
}

function dryRun(context: Context, where: string, plain: boolean): void {
  const played = withDevice(context, where, { writable: false }, (device) => {
    const media = deviceMedia(device);
    try {
      const superblock = readSuperblock(media);
      const tree = new FileTree(superblock, Log.open(media, superblock), { annex: !plain });
      tree.replay();
      const problems: Problem[] = tree.problemsAndStop;
      return {
        ok: problems.length === 0,
        entries: tree.log.nextIndex(),
        replayed: tree.nextIndex,
        files: tree.counts.files,
        directories: tree.counts.directories,
        ...(tree.annex && { annex: annexOf(tree.annex) }),
        problems,
        notes: tree.notes,
      };
    } finally {
      media.close();
    }
  });
  context.show(played, () => {
    const content = `${count(played.files, 'file')}, ${count(played.directories, 'directory', 'directories')}`;
    const entries = count(played.entries, 'log entry', 'log entries');
    return [
      `${where}: ${played.replayed} of ${entries} replayed: ${content}`,
      ...(played.annex ? annexLines(played.annex) : []),
      ...played.problems.map(({ code, message }) => `ERROR ${code}: ${message}`),
      ...played.notes.map(({ code, message }) => `note ${code}: ${message}`),
    ].join('\n');
  });
  if (!played.ok) throw new AlreadyReported();
}

/** What the records of an annex say, one after another. */
function annexOf(annex: NonNullable<FileTree['annex']>) {
  const { slots, used } = annex.usage();
  const records = Array.from(annex.recordsFrom({ seqnum: 0, file: 0, slot: 0 }), ({ record, offset }) => {
    const { seqnum, base, type, slots: spanned, change } = record;
    const about = change ?? { kind: `type ${type}` };
    const value = 'value' in about && about.value ? { value: `${about.value.length} bytes` } : {};
    return { record: seqnum, offset, base, slots: spanned, ...about, ...value };
  });
  return { slots, used, records };
}

function annexLines({ slots, used, records }: ReturnType<typeof annexOf>): string[] {
  const kinds = new Map<string, number>();
  for (const { kind } of records) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const all = [...kinds].map(([kind, times]) => `${times} ${kind}`).join(', ');
  return [
    `annex: ${count(records.length, 'record')} in ${used} of ${slots} slots${all === '' ? '' : `: ${all}`}`,
  ];
}

function playToShadow(context: Context, where: string, shadow: string): void {
  const report = withDevice(context, where, { writable: false }, (device) => {
    const media = deviceMedia(device);
    try {
      return replayToShadow(readableLog(media), shadow);
    } finally {
      media.close();
    }
  });
  const ok = report.problems.length === 0;
  context.show({ ok, ...report }, () => shadowText(report));
  if (!context.json)
    for (const { code, message } of report.problems) context.output.note(`udax: ${message} [${code}]`);
  if (!ok) throw new AlreadyReported();
}

/** The report as C's tool prints it (with blanks for its tabs). */
function shadowText(report: ShadowReport): string {
  const { entries, files, directories, fileErrors, directoryErrors, yamlChecked, yamlErrors } = report;
  const lines = [
    `famfs_logplay(shadow): ${entries} log entries; ${files} new files; ${directories} new directories`,
  ];
  if (fileErrors + directoryErrors > 0)
    lines.push(`  ${fileErrors} file errors and ${directoryErrors} dir errors`);
  if (yamlChecked > 0) {
    lines.push(
      `  shadow yaml checked for ${yamlChecked} files`,
      `  there were ${yamlErrors} yaml errors detected`,
    );
  }
  return lines.join('\n');
}
