import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { logplay } from '../../src/cli/commands/logplay.js';
import { getmap, ls } from '../../src/cli/commands/look.js';
import { fsckCommand, info } from '../../src/cli/commands/media.js';
import { AlreadyReported } from '../../src/cli/errors.js';
import type { FsckReport } from '../../src/famfs/index.js';
import { mountFamfs } from '../../src/index.js';
import {
  type GoldenEntry,
  goldenImage,
  goldenNames,
  recordingContext,
  temporaryDirectory,
} from './support/udax.js';

const names = goldenNames();
let directory: ReturnType<typeof temporaryDirectory>;

beforeAll(() => {
  directory = temporaryDirectory();
});
afterAll(() => directory.remove());

/** Runs a command on a golden image with --json. Returns what it printed, and whether it succeeded. */
function onImage<T>(run: (context: ReturnType<typeof recordingContext>) => void): {
  document: T;
  ok: boolean;
} {
  const context = recordingContext(directory.path, { json: true });
  let ok = true;
  try {
    run(context);
  } catch (error) {
    if (!(error instanceof AlreadyReported)) throw error;
    ok = false;
  }
  expect(context.documents).toHaveLength(1);
  return { document: context.documents[0] as T, ok };
}

function expectedMap(entry: GoldenEntry) {
  const extents = (entry.ext_type === 1 ? entry.strips! : entry.extents!).map(
    ([devindex, offset, length]) => ({
      devindex,
      offset,
      length,
    }),
  );
  if (entry.ext_type === 0) return { size: entry.size, type: 'simple', extents };
  return {
    size: entry.size,
    type: 'interleaved',
    nstrips: entry.nstrips,
    chunkSize: entry.chunk_size,
    extents,
  };
}

describe('golden images on the command line', () => {
  it.each(names)('fsck --json reports on %s as the C code decoded it', (name) => {
    const { file, golden } = goldenImage(name, directory.path);
    const before = readFileSync(file);
    const { document: report, ok } = onImage<FsckReport>((context) => fsckCommand(context, [file], {}));
    expect(Object.keys(report)).toEqual(
      expect.arrayContaining(['ok', 'errors', 'superblock', 'log', 'capacity', 'files', 'directories']),
    );
    expect(report.ok).toBe(ok);
    expect(report.ok).toBe(report.errors.length === 0);
    for (const error of report.errors) {
      expect(error).toMatchObject({ code: expect.any(String), message: expect.any(String) });
    }
    const { alloc_collisions: collisions } = golden.decoded_by_c.bitmap ?? { alloc_collisions: 0 };
    if (!golden.deliberately_bad) expect(ok).toBe(collisions === 0);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it.each(['02-small-tree', '05-interleaved', '08-multi-extent'])('ls -lR --json lists %s', (name) => {
    const { file, golden } = goldenImage(name, directory.path);
    const { document } = onImage<{ path: string }[]>((context) =>
      ls(context, [`${file}:/`], { long: true, recursive: true }),
    );
    const expected = golden.decoded_by_c.entries.map((entry) => ({
      path: `/${entry.path}`,
      type: entry.kind === 'mkdir' ? 'directory' : 'file',
      size: entry.kind === 'mkdir' ? 0 : entry.size,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
    }));
    const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
    expect(document.sort(byPath)).toEqual(expected.sort(byPath));
  });

  it.each(['02-small-tree', '05-interleaved', '08-multi-extent'])(
    'getmap --json maps every file of %s',
    (name) => {
      const { file, golden } = goldenImage(name, directory.path);
      for (const entry of golden.decoded_by_c.entries.filter(({ kind }) => kind === 'file')) {
        const { document } = onImage((context) => getmap(context, [`${file}:/${entry.path}`]));
        expect(document).toEqual(expectedMap(entry));
      }
    },
  );

  it('ls lists the 15,000 entries of the large image', () => {
    const { file } = goldenImage('06-large-15000', directory.path);
    const { document } = onImage<unknown[]>((context) => ls(context, [`${file}:/`], { recursive: true }));
    expect(document).toHaveLength(15000);
  });

  it('logplay -n counts entries and names what is wrong with them', () => {
    const good = goldenImage('02-small-tree', directory.path);
    const played = onImage((context) => logplay(context, [good.file], { dryrun: true }));
    expect(played).toMatchObject({
      ok: true,
      document: { entries: 19, files: 11, directories: 8, problems: [] },
    });
    const bad = goldenImage('25-bad-entry-crc-mid', directory.path);
    const stopped = onImage<{ problems: object[] }>((context) =>
      logplay(context, [bad.file], { dryrun: true }),
    );
    expect(stopped.ok).toBe(false);
    expect(stopped.document).toMatchObject({ entries: 9, replayed: 4 });
    expect(stopped.document.problems[0]).toMatchObject({
      code: 'entry-crc',
      entry: 4,
      offset: expect.any(Number),
    });
  });

  it('a volume of another host is read, and known as such', () => {
    const { file, golden } = goldenImage('35-foreign-owner', directory.path);
    const { document } = onImage((context) => info(context, [file]));
    expect(document).toMatchObject({
      role: 'client',
      superblock: {
        uuid: golden.decoded_by_c.superblock.uuid,
        systemUuid: golden.decoded_by_c.superblock.system_uuid,
      },
    });
  });

  it('ls says which entry broke a rule and is not shown', () => {
    const { file } = goldenImage('28b-dotdot-path', directory.path);
    const context = recordingContext(directory.path, { json: true });
    ls(context, [`${file}:/`], { long: true, recursive: true });
    expect(context.documents[0]).toHaveLength(8);
    expect(context.notes).toEqual([expect.stringMatching(/log entry 4 .*'\.\.' component \(byte 2099416\)/)]);
  });

  it('info works where this host can have no uuid: it is a client there', () => {
    const { file } = goldenImage('02-small-tree', directory.path);
    vi.stubEnv('UDAX_SYSTEM_UUID', '');
    try {
      const context = recordingContext('/proc/self/no/such/root', { json: true });
      info(context, [file]);
      expect(context.documents[0]).toMatchObject({ role: 'client', systemUuid: null });
      vi.stubEnv('UDAX_ROOT', '/proc/self/no/such/root');
      const volume = mountFamfs(file, { readOnly: true });
      expect(volume.role).toBe('client');
      volume.close();
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('what is no famfs is said to be none, with a way on', () => {
    const { file } = goldenImage('21-bad-sb-magic', directory.path);
    const context = recordingContext(directory.path);
    expect(() => ls(context, [`${file}:/`], {})).toThrow(/not a famfs/);
  });
});
