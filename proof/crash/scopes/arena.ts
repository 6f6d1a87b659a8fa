/** The arena: a host takes a part, puts, replaces, commits a reservation, deletes and evicts. */
import { createHash } from 'node:crypto';
import { type Arena, createArena, fsckArena, openArena } from '../../../src/arena/index.js';
import { CONTROL, encodeHeader, PART_STATE, type Shape } from '../../../src/arena/layout.js';
import type { Volume } from '../../../src/famfs/index.js';
import { memoryKinds } from '../../media/traced-backing.js';
import { drop, flushesBy, moveBefore, storesBy } from '../mutate.js';
import type { Bench, Scope } from '../scope.js';
import { oldVolume, owner, pattern, withVolume } from '../volumes.js';

const SHAPE: Shape = {
  fileBytes: 65_536,
  hosts: 1,
  membersPerHost: 2,
  pinsPerMember: 16,
  slotsPerHost: 6,
  maxKeyBytes: 32,
  alignBytes: 64,
};
/** No heartbeat is due within a run: each run makes the same stores. */
const LEASE_MS = 3_600_000;
const STATE_BYTE = 4096 + CONTROL.state * 4;

function withArena<T>({ device }: Bench, host: string, use: (arena: Arena, volume: Volume) => T): T {
  return withVolume(device, (volume) => {
    const arena = openArena(volume, '/kv', { host });
    try {
      return use(arena, volume);
    } finally {
      arena.close();
    }
  });
}

/** The host that was there is gone for good, and its lease has lapsed: what waiting for it would find out. */
function letLapse({ device }: Bench): void {
  withVolume(device, (volume) => {
    const file = volume.open('/kv', { writable: true });
    const state = new Uint8Array(4);
    file.read(state, STATE_BYTE);
    if (state[0] === PART_STATE.owned) file.write(Uint8Array.of(PART_STATE.released), STATE_BYTE);
    file.close();
  });
}

function prepare(bench: Bench): void {
  oldVolume(bench);
  withVolume(bench.device, (volume) => {
    const {
      fileBytes: size,
      slotsPerHost: slots,
      membersPerHost: members,
      pinsPerMember: pins,
      maxKeyBytes,
    } = SHAPE;
    createArena(volume, '/kv', {
      size,
      slots,
      members,
      pins,
      maxKeyBytes,
      leaseMs: LEASE_MS,
      mode: 0o600,
      ...owner,
    });
    // Its uuid and the seeds of its hash are random: a run is to make the same stores each time.
    const rest = { uuid: '44444444-2222-4333-8444-555555555555', leaseMs: LEASE_MS, seedA: 5, seedB: 6 };
    const file = volume.open('/kv', { writable: true });
    file.write(encodeHeader(SHAPE, { ...rest, eviction: 'fifo' }), 0);
    file.close();
  });
  withArena(bench, 'before', (arena) => {
    arena.put('replaced', pattern(100, 1));
    arena.put('deleted', pattern(300, 2));
    arena.put('stays', pattern(64, 3));
    for (let i = 0; i < bench.variant; i++) arena.put(`v${i}`, pattern(50, i));
  });
}

function textOf(arena: Arena): string {
  const digest = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex').slice(0, 8);
  return [...arena.list()]
    .map(({ name }) => `${name} ${digest(arena.read(name)!)}`)
    .sort()
    .join('; ');
}

function read(bench: Bench): string {
  letLapse(bench);
  return withArena(bench, `after ${bench.turn}`, (arena, volume) => {
    const { problems } = fsckArena(volume, '/kv', { host: `after ${bench.turn}` });
    if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('; '));
    const { used, reserved, limbo, free, heap } = arena.stats();
    if (limbo !== 0 || used + reserved + free !== heap)
      throw new Error(`space is lost: ${used} ${reserved} ${limbo} ${free} of ${heap}`);
    return textOf(arena);
  });
}

/** All that is there can be deleted, and all space taken that no reservation of the dead has. */
function goOn(bench: Bench): void {
  letLapse(bench);
  withArena(bench, `next ${bench.turn}`, (arena, volume) => {
    for (const { name } of [...arena.list()]) arena.delete(name);
    const { free, reserved, heap, largestFree } = arena.stats();
    if (free + reserved !== heap)
      throw new Error(`${free} bytes are free and ${reserved} reserved of ${heap}`);
    arena.put('all', pattern(largestFree, 9));
    if (Buffer.compare(arena.read('all')!, pattern(largestFree, 9)) !== 0)
      throw new Error('what was put after the crash differs');
    const { problems } = fsckArena(volume, '/kv', { host: `next ${bench.turn}` });
    if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('; '));
  });
}

export const arena: Scope = {
  name: 'arena',
  about: 'a host takes a part of an arena; put, replace, reserve and commit, abort, delete, evict',
  memories: memoryKinds,
  prepare,
  act(bench) {
    withArena(bench, 'acting', (opened) => {
      opened.put('replaced', pattern(140, 4));
      bench.mark();
      const reservation = opened.reserve('reserved', 200);
      reservation.bytes.set(pattern(200, 5));
      reservation.commit();
      bench.mark();
      opened.reserve('aborted', 90).abort();
      opened.delete('deleted');
      bench.mark();
      opened.put('new', pattern(250, 6));
      bench.mark();
      opened.evict(64);
      bench.mark();
    });
  },
  read,
  goOn,
  mutants: [
    {
      name: 'value-not-flushed',
      about: 'the value is not flushed before it is committed',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(/#putLocked/)),
    },
    {
      name: 'commit-not-flushed',
      about: 'the state word is not flushed before commit returns',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(/OwnPart[.]#setKind/)),
    },
    {
      name: 'state-first',
      about: 'the state word is stored before the slot',
      memory: 'shared',
      change: (events) => moveBefore(events, storesBy(/OwnPart[.]#setKind/), storesBy(/OwnPart[.]reserve/)),
    },
  ],
};
