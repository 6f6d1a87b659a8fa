import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  deviceMedia,
  formatMedia,
  fsckMedia,
  Log,
  LogAppender,
  logSlots,
  mountFamfsOn,
  readSuperblock,
  type Volume,
} from '../../../src/famfs/index.js';
import { Tally } from '../../support/tally.js';
import { contentOf, MIB, machineOver, pattern, THIS_HOST, UNIT } from './support.js';

// Every operation runs in a newly mounted volume, on a device and a log that are full after a few operations. The model knows
// exactly when. What is refused must leave no trace.

const LOG = 8 * MIB;
const DATA_START = 2 * MIB + LOG;
const SLOTS = logSlots(LOG);
const MAX_UNITS = 8;

type Step =
  | { do: 'create'; name: string; size: number }
  | { do: 'copy'; name: string; size: number; seed: number }
  | { do: 'abort'; name: string; size: number }
  | { do: 'mkdir'; name: string }
  | { do: 'mkdirs'; name: string }
  | { do: 'clone'; which: number; name: string };

const names = ['a', 'b', 'c', 'd', 'd/a', 'd/e', 'd/e/f', 'g/h/i'];
const name = fc.constantFrom(...names);
/** Names that are possible whatever was made before. */
const topName = fc.constantFrom('a', 'b', 'c');
const size = fc.integer({ min: 1, max: 3 * UNIT });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('create' as const), name: fc.oneof(name, topName), size }),
  fc.record({ do: fc.constant('copy' as const), name, size, seed: fc.nat(255) }),
  fc.record({ do: fc.constant('abort' as const), name, size }),
  fc.record({ do: fc.constant('mkdir' as const), name }),
  fc.record({ do: fc.constant('mkdirs' as const), name }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('clone' as const),
      which: fc.nat(8),
      name: fc.oneof(name, topName),
    }),
  },
);

/** A clone needs a source: half of the runs begin with a file and a clone of it. */
const steps = fc
  .tuple(fc.boolean(), fc.array(step, { minLength: 3, maxLength: 10 }))
  .map(([begins, list]): Step[] =>
    begins ? [{ do: 'create', name: 'a', size: 1 }, { do: 'clone', which: 0, name: 'b' }, ...list] : list,
  );

const MAKES = {
  create: 'a file',
  copy: 'a file',
  mkdir: 'a directory',
  mkdirs: 'a directory',
  clone: 'a clone',
} as const;

class Model {
  readonly files = new Map<string, Uint8Array>();
  readonly directories = new Set<string>(['']);
  clones = 0;

  constructor(
    public slots: number,
    public units: number,
  ) {}

  has(path: string): boolean {
    return this.files.has(path) || this.directories.has(path);
  }

  /** The code a new name is refused with, or null. */
  refusal(path: string): string | null {
    if (this.has(path)) return 'EEXIST';
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (this.directories.has(parent)) return null;
    for (let up = parent; up !== ''; up = up.slice(0, Math.max(0, up.lastIndexOf('/')))) {
      if (this.files.has(up)) return 'ENOTDIR';
    }
    return 'ENOENT';
  }

  get changes(): string {
    return [this.slots, this.units, this.files.size, this.directories.size].join();
  }

  /** Takes room for a file. @returns false when there is none */
  take(sizeBytes: number): boolean {
    const needed = Math.ceil(sizeBytes / UNIT);
    if (this.slots < 1 || this.units < needed) return false;
    this.slots--;
    this.units -= needed;
    return true;
  }
}

let directory: string;
/** Images by slots left: their log has room for that many more entries. */
const templates = new Map<number, string>();
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'udax-full-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Fills a log with directories that no other step names. */
function template(slotsLeft: number): string {
  const known = templates.get(slotsLeft);
  if (known) return known;
  const file = join(directory, `template-${slotsLeft}`);
  writeFileSync(file, '');
  truncateSync(file, DATA_START + MAX_UNITS * UNIT);
  const machine = machineOver(file);
  const media = deviceMedia(machine);
  formatMedia(media, { systemUuid: THIS_HOST });
  const appender = new LogAppender(Log.open(media, readSuperblock(media)));
  for (let i = 0; i < SLOTS - slotsLeft; i++) {
    appender.append({ kind: 'mkdir', path: `filler${i}`, uid: 0, gid: 0, mode: 0o755 });
  }
  media.close();
  machine.close();
  templates.set(slotsLeft, file);
  return file;
}

/** An image with that many free slots and units; the rest of both is full. */
async function imageWith(slots: number, units: number): Promise<string> {
  const file = join(directory, 'image');
  const taken = MAX_UNITS - units;
  copyFileSync(template(slots + (taken > 0 ? 1 : 0)), file);
  if (taken > 0) {
    await onVolume(file, (volume) => {
      volume.create('/filler', { size: taken * UNIT, zero: false }).close();
    });
  }
  return file;
}

async function onVolume<T>(file: string, act: (volume: Volume) => T | Promise<T>): Promise<T> {
  const machine = machineOver(file);
  const volume = mountFamfsOn(machine);
  try {
    return await act(volume);
  } finally {
    volume.close();
    machine.close();
  }
}

async function codeOf(act: () => unknown): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    const { name: kind, code } = error as { name: string; code: string };
    return kind === 'AbortError' ? kind : code;
  }
}

async function run(model: Model, volume: Volume, it: Step): Promise<void> {
  const refused = model.refusal(it.name);
  if (it.do === 'create') {
    const code = await codeOf(() => volume.create(it.name, { size: it.size }).close());
    if (refused !== null || !model.take(it.size)) expect(code).toBe(refused ?? 'ENOSPC');
    else {
      expect(code).toBeNull();
      model.files.set(it.name, new Uint8Array(it.size));
    }
  } else if (it.do === 'copy') {
    const bytes = pattern(it.size, it.seed);
    const there = model.files.get(it.name);
    const code = await codeOf(() => volume.copyIn(source(bytes), it.name));
    if (there?.length === it.size) {
      expect(code).toBeNull();
      there.set(bytes);
    } else if (model.directories.has(it.name)) expect(code).toBe('EISDIR');
    else if (refused !== null || !model.take(it.size)) expect(code).toBe(refused ?? 'ENOSPC');
    else {
      expect(code).toBeNull();
      model.files.set(it.name, bytes);
    }
  } else if (it.do === 'abort') {
    if (model.has(it.name)) return;
    const abort = new AbortController();
    const copying = volume.copyIn(source(pattern(it.size)), it.name, {
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    const code = await codeOf(() => copying);
    const isRoom = model.slots > 0 && model.units >= Math.ceil(it.size / UNIT);
    expect(code).toBe(refused ?? (isRoom ? 'AbortError' : 'ENOSPC'));
  } else if (it.do === 'mkdir') {
    const code = await codeOf(() => volume.mkdir(it.name));
    expect(code).toBe(refused ?? (model.slots > 0 ? null : 'ENOSPC'));
    if (code !== null) return;
    model.slots--;
    model.directories.add(it.name);
  } else if (it.do === 'mkdirs') {
    const parts = it.name.split('/').map((_, i, all) => all.slice(0, i + 1).join('/'));
    const missing = parts.filter((path) => !model.directories.has(path));
    const code = await codeOf(() => volume.mkdir(it.name, { recursive: true }));
    const isBlocked = parts.some((path) => model.files.has(path));
    expect(code).toBe(isBlocked ? 'ENOTDIR' : missing.length > model.slots ? 'ENOSPC' : null);
    if (code !== null) return;
    model.slots -= missing.length;
    for (const path of missing) model.directories.add(path);
  } else {
    const sources = [...model.files];
    if (sources.length === 0) return;
    const [from, content] = sources[it.which % sources.length]!;
    const code = await codeOf(() => volume.clone(from, it.name, { force: true }));
    expect(code).toBe(refused ?? (model.slots > 0 ? null : 'ENOSPC'));
    if (code !== null) return;
    model.slots--;
    model.clones++;
    // Two names of one memory.
    model.files.set(it.name, content);
  }
}

function source(bytes: Uint8Array): string {
  const file = join(directory, 'source');
  writeFileSync(file, bytes);
  return file;
}

/** Checks what another process finds when it mounts now. */
async function check(file: string, model: Model): Promise<void> {
  await onVolume(file, (volume) => {
    const space = volume.statfs();
    expect({ free: space.free, logFree: space.logFree }).toEqual({
      free: model.units * UNIT,
      logFree: model.slots,
    });
    const seen = [...volume.walk()]
      .map(({ path }) => path.slice(1))
      .filter((path) => !path.startsWith('filler'));
    expect(seen.sort()).toEqual([...model.files.keys(), ...model.directories].filter(Boolean).sort());
    for (const [path, content] of model.files) {
      expect(Buffer.compare(contentOf(volume, path), content)).toBe(0);
    }
  });
  const machine = machineOver(file);
  const report = fsckMedia(deviceMedia(machine));
  machine.close();
  expect(report.errors.map(({ code }) => code)).toEqual(Array(model.clones).fill('extent-overlap'));
  expect(report.notes).toEqual([]);
}

it('log and device full at any step: a volume reopened after each operation is what the model says', {
  timeout: 600_000,
}, async () => {
  const tally = new Tally();
  // Sometimes full from the start; mostly with room for a few things.
  const room = fc.record({
    slots: fc.oneof(fc.nat(6), fc.integer({ min: 2, max: 8 })),
    units: fc.oneof(fc.nat(MAX_UNITS), fc.integer({ min: 1, max: MAX_UNITS })),
  });
  await fc.assert(
    fc.asyncProperty(room, steps, async ({ slots, units }, steps) => {
      const file = await imageWith(slots, units);
      const model = new Model(slots, units);
      for (const it of steps) {
        const before = model.changes;
        await onVolume(file, (volume) => run(model, volume, it));
        // An aborted copy changes nothing. run() checks that it got as far as its bytes.
        if (it.do !== 'abort') tally.count(MAKES[it.do], model.changes !== before);
        await check(file, model);
      }
    }),
    { numRuns: 25 },
  );
  tally.mustReach({ 'a file': 0.02, 'a directory': 0.05, 'a clone': 0.01 });
});
