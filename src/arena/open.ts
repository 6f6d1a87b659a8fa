import { createHash } from 'node:crypto';
import type { ByteLocks, Volume, VolumeFile } from '../famfs/index.js';
import { aVolume } from '../famfs/pcq/open.js';
import {
  callback,
  checkArguments,
  fail,
  flag,
  number,
  optional,
  patienceIn,
  text,
  waitForLock,
  options as wantedOptions,
} from '../libc/index.js';
import { Arena } from './arena.js';
import { CONTROL, decodeHeader, type Geometry, HEADER_AREA, headerLayout } from './layout.js';
import { bootId, Lease } from './lease.js';
import { Lookup } from './lookup.js';
import { Members } from './members.js';
import { ArenaMemory } from './memory.js';
import { OwnPart } from './own-part.js';
import { rebuild } from './recovery.js';
import type { OpenArenaOptions } from './types.js';
import { Writer, writersLock } from './writer.js';

/** This byte of the header's area is locked while a process of this host looks for the host's part. */
const JOIN_LOCK = HEADER_AREA - 1;
const CLAIM_TRIES = 5;

const openOptions = optional(
  wantedOptions({
    readOnly: optional(flag),
    host: optional(text),
    lockWaitMs: optional(number),
    onLockWait: optional(callback),
  }),
);

/**
 * Opens an arena as a member of it. The first member of a host takes a part for the host; where all parts belong to others, it waits for
 * up to a lease and a half whether one of them is gone.
 * @throws DaxError ENOENT; EINVAL no arena; EOPNOTSUPP another version; EBADMSG damaged; EROFS on a volume that takes no stores (say
 * readOnly); EBUSY each part has a host that lives; EMFILE all members in use
 */
export function openArena(volume: Volume, path: string, options: OpenArenaOptions = {}): Arena {
  checkArguments('openArena', [volume, path, options], { volume: aVolume, path: text, options: openOptions });
  const file = volume.open(path, options.readOnly ? {} : { writable: true });
  let locks: ByteLocks | undefined;
  try {
    const memory = new ArenaMemory(file, geometryOf(file), !options.readOnly);
    if (options.readOnly) return Arena.over({ memory, lookup: new Lookup(memory, -1) });
    locks = file.byteLocks();
    return join(memory, locks, options);
  } catch (error) {
    locks?.close();
    file.close();
    throw error;
  }
}

/** Reads and checks the header. @throws DaxError EINVAL, EOPNOTSUPP, EBADMSG */
export function geometryOf(file: VolumeFile): Geometry {
  const bytes = new Uint8Array(Math.min(headerLayout.size, file.size));
  file.read(bytes, 0);
  return decodeHeader(bytes, file.path, file.size);
}

function join(memory: ArenaMemory, locks: ByteLocks, options: OpenArenaOptions): Arena {
  const { path } = memory.file;
  const patience = patienceIn(options);
  const lease = new Lease(memory, hostId(options.host));
  const lock = locks.at(JOIN_LOCK);
  const lockWaitMs = Math.max(patience.lockWaitMs ?? 0, memory.geometry.leaseMs * 2);
  if (!waitForLock(() => locks.take(lock), `joining the arena ${path}`, { ...patience, lockWaitMs })) {
    const who = locks.heldBy(lock, patience).text();
    fail(
      'EBUSY',
      `the arena ${path} is being joined by ${who}, which does not go on (stopped?): let it go on, or end it`,
      { path },
    );
  }
  try {
    const part = partOf(memory, lease, locks);
    const members = new Members(memory, part, locks);
    const own = new OwnPart(memory, part, members);
    const lookup = new Lookup(memory, part);
    const writer = new Writer(own, lookup, lease, locks, patience);
    writer.locked(() => {
      writer.reap();
      members.join();
    });
    return Arena.over({ memory, lookup, writer, lease, locks });
  } finally {
    locks.release(lock);
  }
}

/** The part of this host: the one it has, or one that it takes. @throws DaxError EBUSY */
function partOf(memory: ArenaMemory, lease: Lease, locks: ByteLocks): number {
  const { path } = memory.file;
  for (let tries = 0; tries < CLAIM_TRIES; tries++) {
    const own = lease.ownPart();
    if (own >= 0) {
      lease.hold(own);
      return own;
    }
    const part = lease.freePart();
    if (part < 0) break;
    if (claim(memory, part, lease, locks)) return part;
  }
  const { hosts } = memory.geometry;
  return fail(
    'EBUSY',
    `the arena ${path} is made for ${hosts} host${hosts === 1 ? '' : 's'}, and others have it: ${lease.ownersText()}; close it there, ` +
      'or make one for more hosts',
    { path },
  );
}

/** Takes a part over and builds it anew from its slots. */
function claim(memory: ArenaMemory, part: number, lease: Lease, locks: ByteLocks): boolean {
  const own = new OwnPart(memory, part, new Members(memory, part, locks));
  const lock = writersLock(own, locks);
  if (!waitForLock(() => locks.take(lock), `the arena ${memory.file.path}`, { lockWaitMs: 1000 }))
    return false;
  try {
    if (!lease.claim(part)) return false;
    Atomics.store(memory.words, own.control + CONTROL.dirty, 1);
    rebuild(own, { isTakenOver: true });
    Atomics.store(memory.words, own.control + CONTROL.dirty, 0);
    return true;
  } finally {
    locks.release(lock);
  }
}

/** What stands in a part for its owner: four words of the host's name; without one, the boot id of its kernel. */
export function hostId(host: string | undefined): Uint32Array {
  if (host === undefined) return bootId();
  const digest = createHash('sha256').update(host).digest();
  return new Uint32Array(digest.buffer.slice(digest.byteOffset, digest.byteOffset + 16));
}
