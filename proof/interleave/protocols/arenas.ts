/** Arenas: one puts, deletes and reuses the space, the other gets, looks at what it has pinned, and puts too. On one host and on two. */
import { type Arena, createArena, fsckArena, openArena } from '../../../src/arena/index.js';
import { hasCode } from '../../../src/libc/index.js';
import type { Actor, Look, Protocol, World } from '../types.js';
import { closeMounted, type Mounted, openMounted } from './opening.js';

const PATH = '/arena';
const KEY = 'key';
const VALUE_BYTES = 192;

interface Member extends Mounted {
  arena: Arena;
}

const bytesOf = (run: number, i: number) => new Uint8Array(VALUE_BYTES).fill((run * 7 + i * 3 + 1) & 0xff);
const isOneValue = (bytes: ArrayLike<number>) =>
  Array.prototype.every.call(bytes, (byte) => byte === bytes[0]);

function writes({ arena }: Member, run: number): string[] {
  arena.put(KEY, bytesOf(run, 1));
  arena.delete(KEY);
  arena.put('other', bytesOf(run, 2));
  arena.put(KEY, bytesOf(run, 3));
  return [];
}

/** What it found wrong. */
function reads({ arena }: Member, run: number): string[] {
  const wrong: string[] = [];
  for (let i = 0; i < 2; i++) {
    const value = arena.get(KEY);
    if (value === null) continue;
    const before = value.bytes[0];
    if (!isOneValue(value.bytes)) wrong.push(`run ${run}: a torn value`);
    // Time for the other to delete the object and to use its space again.
    for (const key of ['absent', 'other', 'mine']) arena.has(key);
    if (!isOneValue(value.bytes) || value.bytes[0] !== before)
      wrong.push(`run ${run}: a pinned value was reused`);
    value.release();
  }
  arena.put('mine', bytesOf(run, 4));
  return wrong;
}

function member(run: (member: Member, run: number) => string[], ownHost: boolean): Actor<Member> {
  return {
    open(world: World, me) {
      const mounted = openMounted(world, me, { clientWrites: true });
      const host = ownHost ? `host ${me}` : 'host';
      return { ...mounted, arena: openArena(mounted.volume, PATH, { host }) };
    },
    run(state, number) {
      try {
        return run(state, number);
      } catch (error) {
        // The space of the other's pin may be needed.
        if (!hasCode(error, 'EBUSY', 'ENOSPC')) throw error;
        return [];
      }
    },
    after({ arena }) {
      for (const key of [KEY, 'other', 'mine']) arena.delete(key);
      arena.reap();
    },
    close(state) {
      state.arena.close();
      closeMounted(state);
    },
  };
}

/** Counts and the heap of a part are in the caches of the host that has it, and only there (docs/arena.md). */
const OF_ONE_HOST: ReadonlySet<string> = new Set(['count', 'heap']);

function judge({ told, volume, world }: Look): string[] {
  const { problems } = fsckArena(volume, PATH);
  const counts = problems.filter(({ isNote, code }) => !isNote && !(world.caches && OF_ONE_HOST.has(code)));
  return [...told.flatMap(({ value }) => (value ?? []) as string[]), ...counts.map(({ message }) => message)];
}

export const arenaProtocols: Protocol[] = ([1, 2] as const).map((hosts) => ({
  name: hosts === 1 ? 'arena' : 'hosts-arena',
  about:
    hosts === 1
      ? 'values are put, replaced, deleted and their space reused while another pins them'
      : 'the same on two hosts without common caches',
  hosts,
  actors: [member(writes, hosts === 2), member(reads, hosts === 2)],
  setUp: (volume) =>
    createArena(volume, PATH, {
      size: 65_536,
      hosts,
      slots: 8,
      members: 4,
      pins: 16,
      maxKeyBytes: 32,
      leaseMs: 3_600_000,
    }),
  judge,
}));
