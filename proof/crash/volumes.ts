/** Shared by the scopes over a volume: the state before, reading the current state, and the next writer. */
import { createHash } from 'node:crypto';
import {
  deviceMedia,
  type FamfsDevice,
  formatMedia,
  fsckMedia,
  Log,
  LogAppender,
  logHeaderLayout,
  mountFamfsOn,
  readSuperblock,
  type Volume,
} from '../../src/famfs/index.js';
import { uuids } from './hosts.js';
import type { Bench } from './scope.js';

const MIB = 2 ** 20;
export const owner = { uid: 0x1234_5678, gid: 0x1f2e_3d4c };
/** Notes about states that a crash may leave and that the next writer repairs: famfs-format.md and fsck document them. */
export const documentedNotes = new Set(['unpublished-entry', 'torn-append']);

export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = 1 + ((i * 31 + (i >> 8) * 7 + seed * 13) % 255);
  return bytes;
}

export function withVolume<T>(device: FamfsDevice, use: (volume: Volume) => T): T {
  const volume = mountFamfsOn(device);
  try {
    return use(volume);
  } finally {
    volume.close();
  }
}

export function format(device: FamfsDevice, which: keyof typeof uuids, force = false): void {
  const media = deviceMedia(device);
  try {
    formatMedia(media, { systemUuid: device.systemUuid, uuids: uuids[which], deviceName: 'dax0.0', force });
  } finally {
    media.close();
  }
}

/** Makes an old volume whose free space has bytes of earlier files. A variant has other entries, so that lines fall elsewhere. */
export function oldVolume({ device, variant }: Bench): void {
  for (let at = 10 * MIB; at < device.view.length; at += 2 * MIB)
    device.view.set(pattern(1000, at / MIB), at);
  format(device, 'old');
  withVolume(device, (volume) => {
    volume.mkdir('/old', { mode: 0o755, ...owner });
    const file = volume.create('/old/file', { size: 200, mode: 0o644, ...owner });
    file.write(pattern(200, 1), 0);
    file.close();
    for (let i = 0; i < variant; i++) volume.mkdir(`/old/${i}`, owner);
  });
  leaveGhost(device);
}

/** Appends an entry without publishing it, like a writer that died. The next writer's lines will overlap it. */
function leaveGhost(device: FamfsDevice): void {
  const media = deviceMedia(device);
  const log = Log.open(media, readSuperblock(media));
  const published = log.nextIndex();
  const path = 'a-ghost-with-a-name-that-is-long-enough-to-fill-its-field';
  new LogAppender(log).append({ kind: 'mkdir', path, mode: 0o711, uid: 7, gid: 8 });
  const { nextSeqnum, nextIndex } = logHeaderLayout.fields;
  for (const { offset } of [nextSeqnum, nextIndex]) log.bytes[offset] = published;
  media.close();
}

/** The text of everything that a mount shows. Throws when fsck finds anything undocumented. */
export function readVolume(device: FamfsDevice, intended?: ReadonlySet<string>): string {
  checkMedia(device, documentedNotes, intended);
  return withVolume(device, textOf);
}

export function textOf(volume: Volume): string {
  const { uuid, systemUuid } = volume.superblock;
  const rows = [`volume ${uuid.slice(0, 8)} of ${systemUuid.slice(0, 8)}`];
  for (const { path, type, size, mode, uid, gid } of volume.walk('/')) {
    if (path === '/') continue;
    rows.push(
      `${path} ${type} ${size} ${mode.toString(8)} ${uid}:${gid}${type === 'file' ? ` ${digest(volume, path, size)}` : ''}`,
    );
  }
  return rows.join('; ');
}

function digest(volume: Volume, path: string, size: number): string {
  const bytes = new Uint8Array(size);
  const file = volume.open(path);
  try {
    file.read(bytes, 0);
  } finally {
    file.close();
  }
  return createHash('sha1')
    .update(bytes.subarray(0, endOf(bytes)))
    .digest('hex')
    .slice(0, 8);
}

const zeroes = new Uint8Array(2 ** 16);

/** Roughly where the zeroes at the end of a file begin. Most of a big file is zeroes. */
function endOf(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0) {
    const start = Math.max(0, end - zeroes.length);
    if (Buffer.compare(bytes.subarray(start, end), zeroes.subarray(0, end - start)) !== 0) return end;
    end = start;
  }
  return 0;
}

const none: ReadonlySet<string> = new Set();

/** @param intended codes of errors that the operation is meant to make @throws Error what fsck reports */
export function checkMedia(device: FamfsDevice, allowedNotes = none, intended = none): void {
  const media = deviceMedia(device);
  try {
    const { errors, notes } = fsckMedia(media);
    const [said] = [
      ...errors.filter(({ code }) => !intended.has(code)),
      ...notes.filter(({ code }) => !allowedNotes.has(code)),
    ];
    if (said !== undefined) throw new Error(`fsck: ${said.code}: ${said.message}`);
  } finally {
    media.close();
  }
}

/** A writer after the crash makes a directory and a file, and everything else must stay. */
export function writeMore(device: FamfsDevice, before: string, intended?: ReadonlySet<string>): void {
  const after = withVolume(device, (volume) => {
    volume.mkdir('/next', owner);
    const file = volume.create('/next/file', { size: 100, ...owner });
    const bytes = new Uint8Array(100);
    file.read(bytes, 0);
    file.close();
    if (bytes.some((byte) => byte !== 0))
      throw new Error('a file that was made after the crash does not read as zeroes');
    return textOf(volume);
  });
  checkMedia(device, none, intended);
  const rows = new Set(after.split('; '));
  const gone = before.split('; ').find((row) => !rows.has(row));
  if (gone !== undefined) throw new Error(`the next writer lost '${gone}'`);
}
