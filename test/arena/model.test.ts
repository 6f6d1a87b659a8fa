import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Arena, ArenaValue, CreateArenaOptions, Reservation } from '../../src/arena/index.js';
import { hasCode } from '../../src/libc/index.js';
import { Tally } from '../support/tally.js';
import { ArenaLab, bytesOf, expectSound, KIB, MIB } from './support.js';

/** What the arena should hold. */
interface Model {
  objects: Map<string, number>;
  pins: Map<string, { value: ArenaValue; bytes: Uint8Array }[]>;
  reservations: { key: string; length: number; reservation: Reservation }[];
}
interface Real {
  arena: Arena;
  evicts: boolean;
}
type Command = fc.Command<Model, Real>;
const tally = new Tally();

class Act implements Command {
  constructor(
    readonly name: string,
    readonly run: (model: Model, real: Real) => void,
  ) {}
  check = () => true;
  toString = () => this.name;
}

/** With eviction, what is not pinned may have gone. */
function forgetEvicted(model: Model, { arena, evicts }: Real): void {
  if (!evicts) return;
  for (const key of model.objects.keys()) if (!arena.has(key)) model.objects.delete(key);
}

function refused(error: unknown): void {
  if (!hasCode(error, 'ENOSPC', 'EBUSY')) throw error;
  tally.count('put', false);
}

function put(key: string, length: number): Act {
  return new Act(`put ${key} ${length}`, (model, real) => {
    try {
      real.arena.put(key, bytesOf(key, length));
      model.objects.set(key, length);
      tally.count('put', true);
    } catch (error) {
      refused(error);
    }
    forgetEvicted(model, real);
  });
}

function reserve(key: string, length: number): Act {
  return new Act(`reserve ${key} ${length}`, (model, real) => {
    try {
      const reservation = real.arena.reserve(key, length);
      reservation.bytes.set(bytesOf(key, length));
      model.reservations.push({ key, length, reservation });
    } catch (error) {
      refused(error);
    }
    forgetEvicted(model, real);
  });
}

function settle(index: number, commits: boolean): Act {
  return new Act(`${commits ? 'commit' : 'abort'} ${index}`, (model) => {
    const [taken] = model.reservations.splice(index % Math.max(1, model.reservations.length), 1);
    if (!tally.count('settle', taken !== undefined) || !taken) return;
    if (commits) {
      taken.reservation.commit();
      model.objects.set(taken.key, taken.length);
    } else taken.reservation.abort();
  });
}

function pin(key: string): Act {
  return new Act(`pin ${key}`, (model, { arena }) => {
    const value = arena.get(key);
    expect(value !== null).toBe(model.objects.has(key));
    if (!tally.count('pin', value !== null) || value === null) return;
    const bytes = bytesOf(key, model.objects.get(key)!);
    model.pins.set(key, [...(model.pins.get(key) ?? []), { value, bytes }]);
  });
}

function unpin(key: string): Act {
  return new Act(`unpin ${key}`, (model) => {
    for (const { value } of model.pins.get(key) ?? []) value.release();
    model.pins.delete(key);
  });
}

function remove(key: string): Act {
  return new Act(`delete ${key}`, (model, { arena }) => {
    expect(arena.delete(key)).toBe(model.objects.delete(key));
  });
}

function agree(model: Model, { arena }: Real): void {
  const listed = new Map([...arena.list()].map(({ name, size }) => [name, size]));
  expect(listed).toEqual(model.objects);
  for (const [key, length] of model.objects)
    expect(Buffer.compare(arena.read(key)!, bytesOf(key, length)), key).toBe(0);
  for (const held of model.pins.values())
    for (const { value, bytes } of held) expect(Buffer.compare(value.bytes as Uint8Array, bytes)).toBe(0);
  const { used, reserved, limbo, free, heap } = arena.stats();
  expect(used + reserved + limbo + free).toBe(heap);
}

const key = fc
  .integer({ min: 0, max: 30 })
  .map((n) => (n % 3 === 0 ? `key-${n}-${'long'.repeat(n)}` : `k${n}`));
const length = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 120 * KIB }));
const commands = fc.commands(
  [
    fc.tuple(key, length).map(([k, n]) => put(k, n)),
    fc.tuple(key, length).map(([k, n]) => put(k, n)),
    fc.tuple(key, length).map(([k, n]) => reserve(k, n)),
    fc.tuple(fc.nat(9), fc.boolean()).map(([n, commits]) => settle(n, commits)),
    key.map(pin),
    key.map(unpin),
    key.map(remove),
  ],
  { size: 'max', maxCommands: 120 },
);

describe('an arena behaves as a Map with pins', () => {
  const lab = new ArenaLab();
  afterAll(() => {
    lab.close();
    tally.mustReach({ put: 0.5, settle: 0.3, pin: 0.1 });
  });

  it.each<Partial<CreateArenaOptions>>([
    { eviction: 'none' },
    { eviction: 'clock' },
    { eviction: 'fifo', align: 4096 },
    { eviction: 'clock', slots: 12 },
  ])(
    'with %o',
    (options) => {
      fc.assert(
        fc.property(commands, (acts) => {
          const { arena, volume } = lab.make({ size: MIB, slots: 64, ...options });
          const model: Model = { objects: new Map(), pins: new Map(), reservations: [] };
          const real = { arena, evicts: options.eviction !== 'none' };
          try {
            fc.modelRun(() => ({ model, real }), acts);
            agree(model, real);
            expectSound(volume);
            for (const held of model.pins.values()) for (const { value } of held) value.release();
            for (const { reservation } of model.reservations) reservation.abort();
            for (const name of model.objects.keys()) arena.delete(name);
            arena.reap();
            const { heap } = arena.stats();
            expect(arena.stats()).toMatchObject({ free: heap, largestFree: heap, freePieces: 1, objects: 0 });
            expectSound(volume);
          } finally {
            lab.close();
          }
        }),
        { numRuns: 25 },
      );
    },
    600_000,
  );
});
