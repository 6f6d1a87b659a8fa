/**
 * Rewrites a volume at rest: removes, moves and resizes files and directories, and moves their data together. One new log says
 * what there is to be; media/rewrite-switch.ts puts it in place. The volume belongs to this process alone meanwhile.
 *
 * Steps: keep everybody else off; check all changes; store data in units that are free in the old log; switch the logs; mount
 * what is there now. Until the switch nothing that the old log names has changed, so a failure, an abort or a crash leaves the
 * volume as it was. What a log entry cannot say goes into a fresh annex (rewrite-annex.ts).
 */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fail, throwIfAborted } from '../../libc/index.js';
import { refuseStopped } from '../media/append.js';
import { logSlots } from '../media/layout.js';
import { renamedSuperblock, switchLog } from '../media/rewrite-switch.js';
import { decodeSuperblock } from '../media/superblock.js';
import { ROOT_INO } from '../media/tree.js';
import type { DeviceMedia } from './device-media.js';
import type { MountedFamfs } from './mounted.js';
import { fileAt } from './names.js';
import { NameNumbers } from './rewrite-aliases.js';
import { Folding, type FreshAnnex } from './rewrite-annex.js';
import { type NewEntries, newEntries, provenStatfs } from './rewrite-entries.js';
import { ChangedNames } from './rewrite-names.js';
import { ChangedSpace, type DataMove } from './rewrite-space.js';
import { statfsOf } from './space.js';
import type { AloneUse, CopyProgress, VolumeStatfs } from './types.js';

/** A few milliseconds of work. An abort or a progress bar waits for one piece. */
const PIECE_BYTES = 8 * 2 ** 20;
/** Each round needs less space than the last or moves files down, so this ends long before. */
const MOST_ROUNDS = 64;

/** The changes of one rewrite. They are made in this order, each list from its first to its last; each sees those before it. */
export interface RewriteChanges {
  /** Files and directories to remove. */
  remove?: readonly string[];
  /** Lets `remove` take directories with all that is in them. Default: a directory must be empty. */
  recursive?: boolean;
  /** Old and new path of each, as rename(2): a file replaces a file, a directory an empty directory. */
  move?: readonly (readonly [string, string])[];
  /** Path and new size in bytes, at least 1. New bytes are zeroes. Only space that was free before is used. */
  resize?: readonly (readonly [string, number])[];
  /** Then moves data: each plain file into one run, as far to the front as there is room. Interleaved files stay. */
  defragment?: boolean;
  /** Leaves out the log entries that no mount shows because they are damaged. Default: EBADMSG while there are any. */
  dropDamaged?: boolean;
}

export interface RewriteOptions {
  /**
   * Says that no other host has this memory mounted, or uses what it has mapped of it. Needed where other hosts can reach the
   * memory (a dax device, memory without common caches): they cannot be asked. What they have mounted becomes ESTALE.
   */
  othersAreGone?: boolean;
  /** Checks everything and says what would be done. Nothing is written. */
  dryRun?: boolean;
  /** Aborting ends the rewrite with an AbortError. The volume is whole: as before, or as after a whole round of moves. */
  signal?: AbortSignal;
  /** Called while data is moved or zeroed. */
  onProgress?: (done: CopyProgress) => void;
  /** Test seam: the uuid of the file system, instead of a random one. */
  uuid?: string;
  /** Test seam: when it began, milliseconds since 1970, instead of now. */
  begunMs?: number;
}

export interface RewriteResult {
  /** False when there was nothing to do; nothing was written then, and every mount stays valid. */
  changed: boolean;
  /** Uuid of the file system now. */
  uuid: string;
  removed: { files: number; directories: number };
  moved: number;
  resized: number;
  /** Damaged log entries that were left out. */
  damaged: number;
  /** Bytes of data that were moved or zeroed. */
  movedBytes: number;
  /** Space that came back, bytes; negative when files grew by more. */
  freedBytes: number;
  before: VolumeStatfs;
  after: VolumeStatfs;
}

interface Plan {
  names: ChangedNames;
  space: ChangedSpace;
  entries: NewEntries;
  superblockBytes: Uint8Array;
  after: VolumeStatfs;
  isChange: boolean;
}

/**
 * See Volume.rewrite.
 * @param adopt takes the mounted famfs that the volume has from now on
 */
export async function rewriteVolume(
  mounted: MountedFamfs,
  changes: RewriteChanges,
  options: RewriteOptions,
  adopt: (mounted: MountedFamfs) => void,
): Promise<RewriteResult> {
  throwIfAborted(options.signal);
  refuseOtherHosts(mounted, options);
  const { defragment = false, ...first } = changes;
  let now = mounted;
  let canGoOn = true;
  const step = async (make: (now: MountedFamfs) => Plan): Promise<RewriteResult> => {
    const { result, next } = await oneRewrite(now, make, options);
    // What was rewritten and could not be mounted again is done all the same. The next call on the volume says why it is gone.
    canGoOn = next !== now || !result.changed || options.dryRun === true;
    if (next !== now) adopt(next);
    now = next;
    return result;
  };
  let result = await step((there) => planOf(there, first, options));
  for (let round = 0; defragment && canGoOn && round < MOST_ROUNDS; round++) {
    const more = await step((there) => planOfMoves(there, options));
    result = joined(result, more);
    if (!more.changed || options.dryRun) break;
  }
  return result;
}

/** Other hosts cannot be asked. Memory that only this host can reach has no users but those that the locks show. */
function refuseOtherHosts(
  { device, media }: MountedFamfs,
  { othersAreGone = false, dryRun = false }: RewriteOptions,
): void {
  const { kind, coherent } = media.backing;
  if (othersAreGone || dryRun || (kind !== 'devdax' && coherent)) return;
  fail(
    'EPERM',
    `other hosts may have the memory of ${device.name} mounted, and they cannot be asked: make sure that none uses it, then say ` +
      'so, { othersAreGone: true }',
    { path: device.name, hint: 'others-are-gone' },
  );
}

async function oneRewrite(
  mounted: MountedFamfs,
  make: (mounted: MountedFamfs) => Plan,
  options: RewriteOptions,
): Promise<{ result: RewriteResult; next: MountedFamfs }> {
  const alone = mounted.takeAlone();
  let isRewritten = false;
  try {
    const { tree, media, superblock } = mounted;
    tree.replay();
    if (tree.stopped) refuseStopped(mounted.device.name, tree.stopped);
    const before = statfsOf(mounted);
    const plan = make(mounted);
    const result = resultOf(plan, before, superblock.uuid);
    if (plan.isChange && !options.dryRun) {
      await moveData(media, plan.space.moves, alone, options);
      if (plan.entries.annex) storeAnnex(media, plan.entries.annex);
      alone.check();
      const slots = logSlots(superblock.logLength);
      switchLog(media, {
        superblockBytes: plan.superblockBytes,
        entries: plan.entries.bytes,
        // One more: a writer that died may have left an entry that it did not publish.
        oldEntries: Math.min(tree.nextIndex + 1, slots),
        freeSpace: plan.space.freeSpace(),
        ...(options.begunMs !== undefined && { begunMs: options.begunMs }),
      });
      isRewritten = true;
      result.uuid = decodeSuperblock(plan.superblockBytes).uuid;
    }
    const next = alone.done(isRewritten);
    return { result, next };
  } catch (error) {
    if (!isRewritten) alone.done(false);
    throw error;
  }
}

/** In space that no file has, in the old log or the new one. */
function storeAnnex(media: DeviceMedia, { offset, bytes }: FreshAnnex): void {
  media.ensure(offset, bytes.length);
  media.bytes(offset, bytes.length).set(bytes);
  media.flush(offset, bytes.length);
  media.fence();
}

function planOf(mounted: MountedFamfs, changes: RewriteChanges, options: RewriteOptions): Plan {
  const { device, tree, superblock } = mounted;
  const { remove = [], recursive = false, move = [], resize = [], dropDamaged = false } = changes;
  const numbers = new NameNumbers(tree);
  const names = new ChangedNames(numbers, tree.annex !== null);
  for (const path of remove) names.remove(path, recursive);
  for (const [from, to] of move) names.move(from, to);
  const space = new ChangedSpace(superblock, tree, device.name);
  for (const [path, size] of resize) {
    space.resize(numbers.inodeOf(fileAt(names, path)), path, size);
  }
  const plan = finished(mounted, names, numbers, space, options);
  if (plan.entries.damaged > 0 && !dropDamaged) {
    const [first] = tree.problems;
    fail(
      'EBADMSG',
      `${device.name}: ${plan.entries.damaged} log entries are damaged, and a new log would not have them (the first: ${first?.message}); ` +
        'say dropDamaged when nothing of them is wanted',
      { path: device.name, hint: 'fsck' },
    );
  }
  return plan;
}

function planOfMoves(mounted: MountedFamfs, options: RewriteOptions): Plan {
  const { device, tree, media, superblock } = mounted;
  const space = new ChangedSpace(superblock, tree, device.name);
  const files: { ino: number; path: string }[] = [];
  for (let ino = ROOT_INO + 1; ino <= tree.nextIndex + ROOT_INO; ino++) {
    if (!tree.has(ino) || tree.isDirectory(ino)) continue;
    const { nlink, size } = tree.stat(ino);
    if (nlink > 0 && size > 0) files.push({ ino, path: `/${tree.pathOf(ino)}` });
  }
  const canRead = ({ extents }: { extents: readonly { offset: number; length: number }[] }) =>
    extents.every(({ offset, length }) => media.lost(offset, length).length === 0);
  space.defragment(files, canRead);
  const numbers = new NameNumbers(tree);
  return finished(mounted, new ChangedNames(numbers, tree.annex !== null), numbers, space, options);
}

function finished(
  mounted: MountedFamfs,
  names: ChangedNames,
  numbers: NameNumbers,
  space: ChangedSpace,
  { uuid = randomUUID() }: RewriteOptions,
): Plan {
  const { device, tree, media } = mounted;
  const entries =
    tree.annex === null
      ? newEntries(tree, names, space)
      : new Folding(tree, names, space, numbers).fold(uuid);
  const superblockBytes = renamedSuperblock(media, uuid);
  const after = provenStatfs(device.name, superblockBytes, entries);
  const isChange = names.haveChanged || space.changed.size > 0 || entries.damaged > 0 || entries.isShorter;
  return { names, space, entries, superblockBytes, after, isChange };
}

function resultOf(plan: Plan, before: VolumeStatfs, uuid: string): RewriteResult {
  return {
    changed: plan.isChange,
    uuid,
    removed: plan.names.removed,
    moved: plan.names.moves,
    resized: plan.space.changed.size,
    damaged: plan.entries.damaged,
    movedBytes: plan.space.moves.reduce((sum, { length }) => sum + length, 0),
    freedBytes: before.used - plan.after.used,
    before,
    after: plan.after,
  };
}

/** A rewrite, and a round of moves after it. Files that were only moved do not count as resized. */
function joined(first: RewriteResult, then: RewriteResult): RewriteResult {
  return {
    ...first,
    changed: first.changed || then.changed,
    uuid: then.uuid,
    movedBytes: first.movedBytes + then.movedBytes,
    freedBytes: first.before.used - then.after.used,
    after: then.after,
  };
}

/** Stores the data of the new places, and makes it durable before an entry names it. */
async function moveData(
  media: DeviceMedia,
  moves: readonly DataMove[],
  alone: Pick<AloneUse<unknown>, 'check'>,
  { signal, onProgress }: RewriteOptions,
): Promise<void> {
  const totalBytes = moves.reduce((sum, { length }) => sum + length, 0);
  let bytes = 0;
  for (const { path, from, to, length } of moves) {
    for (let done = 0; done < length; done += PIECE_BYTES) {
      throwIfAborted(signal);
      alone.check();
      const piece = Math.min(PIECE_BYTES, length - done);
      storePiece(media, path, from === null ? null : from + done, to + done, piece);
      bytes += piece;
      onProgress?.({ bytes, totalBytes, path });
      if (bytes < totalBytes) await nextTurn();
    }
  }
  throwIfAborted(signal);
  if (totalBytes > 0) media.fence();
}

function storePiece(media: DeviceMedia, path: string, from: number | null, to: number, length: number): void {
  if (from === null) {
    media.zero(to, length);
    // Zeroing may have punched holes. Users of the file will store into them, so they need memory.
    media.ensure(to, length);
    return;
  }
  const [lost] = media.lost(from, length);
  if (lost !== undefined) fail('EIO', `${path} cannot be moved: ${lost.why}; nothing was changed`, { path });
  media.invalidate(from, length);
  media.ensure(to, length);
  media.bytes(to, length).set(media.bytes(from, length));
  media.flush(to, length);
}
