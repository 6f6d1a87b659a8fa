/** `udax top`: one look, and live on a terminal. */
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countsOf, samplesOf } from '../../src/cli/metrics/read.js';
import { PLAIN, render } from '../../src/cli/top/render.js';
import type { SeenMount, Snapshot } from '../../src/cli/top/snapshot.js';
import { because, noMounts, Place, sh } from '../mounts/support.js';
import { noTerminal, onTerminal } from './support/terminal.js';
import { binary } from './support/udax.js';

const counts = {
  requests: 100,
  errors: 0,
  seconds: 0.01,
  readBytes: 2 ** 20,
  writtenBytes: 0,
  openFiles: 3,
  unpublished: 1,
  replayLag: 0,
  waiting: null,
};
const mount: SeenMount = {
  mountpoint: '/srv/a/very/long/path/to/the/mountpoint/of/a/volume',
  kind: 'famfs',
  what: 'dax0.0',
  pid: 42,
  state: 'served',
  counts,
};
const seen: Snapshot = {
  time: 1_000_000,
  root: '/var/lib/udax',
  devices: [{ name: 'dax0.0', mode: 'famfs', state: 'enabled', size: 2 ** 30, holders: 1, poison: 4096 }],
  volumes: [
    {
      device: 'dax0.0',
      problem: null,
      size: 2 ** 30,
      used: 2 ** 28,
      free: 3 * 2 ** 28,
      files: 7,
      logUsed: 7,
      logSlots: 1000,
    },
    {
      device: 'dax1.0',
      problem: 'there is no file system',
      size: 0,
      used: 0,
      free: 0,
      files: 0,
      logUsed: 0,
      logSlots: 0,
    },
  ],
  holders: [{ pid: 42, startTime: 1, command: 'node', device: 'dax0.0', purpose: 'mount at /mnt' }],
  mounts: [mount],
};
const later: Snapshot = {
  ...seen,
  time: seen.time + 2000,
  mounts: [{ ...mount, counts: { ...counts, requests: 300, seconds: 0.05, readBytes: 5 * 2 ** 20 } }],
};
const rowOf = (lines: string[], word: string) =>
  lines
    .find((line) => line.includes(word))!
    .trim()
    .split(/ {2,}/);

describe('the view of udax top', () => {
  it.each([24, 40, 60, 80, 200])('is never wider than %d columns', (width) => {
    for (const lines of [render(seen, undefined, width, PLAIN), render(later, seen, width, PLAIN)])
      expect(lines.filter((line) => line.length > width)).toEqual([]);
  });

  it('has at 40 columns what matters: mode, use, requests, and the end of a long path', () => {
    const text = render(later, seen, 40, PLAIN).join('\n');
    for (const word of ['dax0.0', 'famfs', '25.0%', 'a/volume', 'served', 'node'])
      expect(text).toContain(word);
  });

  it('shows totals first, and from the second look on what came in between, a second', () => {
    const width = 200;
    expect(rowOf(render(seen, undefined, width, PLAIN), 'served').slice(1)).toEqual([
      'served',
      '100',
      '1 MiB',
      '0 B',
      '100 us',
      '3',
      '1',
    ]);
    expect(rowOf(render(later, seen, width, PLAIN), 'served').slice(1)).toEqual([
      'served',
      '100',
      '2 MiB',
      '0 B',
      '200 us',
      '3',
      '1',
    ]);
  });

  it('does not take the counts of a new daemon for those of the one before it', () => {
    const again: Snapshot = { ...later, mounts: [{ ...later.mounts[0]!, pid: 43 }] };
    expect(rowOf(render(again, seen, 200, PLAIN), 'served')[2]).toBe('150');
  });

  it('says why a volume cannot be mounted, and shows names that would control the terminal', () => {
    expect(render(seen, undefined, 200, PLAIN).join('\n')).toContain('there is no file system');
    const hostile: Snapshot = { ...seen, mounts: [{ ...mount, mountpoint: '/m\u001b[2J' }] };
    expect(render(hostile, undefined, 200, PLAIN).join('\n')).not.toContain('\u001b');
  });

  it('of nothing says so', () => {
    const nothing: Snapshot = { ...seen, devices: [], volumes: [], holders: [], mounts: [] };
    expect(render(nothing, undefined, 80, PLAIN).at(-1)).toBe('no machine here and nothing mounted');
  });
});

describe('the metrics of a mount, read back', () => {
  it('are those of its mountpoint, operations added up', () => {
    const at = '/m "x"\\';
    const label = `mountpoint="/m \\"x\\"\\\\"`;
    const text = [
      '# TYPE udax_mount_open_files gauge',
      `udax_mount_open_files{${label}} 2`,
      'udax_mount_open_files{mountpoint="/other"} 9',
      `udax_mount_operation_seconds_count{${label},operation="read"} 5`,
      `udax_mount_operation_seconds_count{${label},operation="write"} 6`,
      `udax_mount_operation_seconds_sum{${label},operation="read"} 5e-05`,
      `udax_mount_read_bytes_total{${label}} 4096`,
    ].join('\n');
    expect(samplesOf(text).size).toBe(6);
    expect(countsOf(text, at)).toMatchObject({
      openFiles: 2,
      requests: 11,
      seconds: 5e-5,
      readBytes: 4096,
      waiting: null,
    });
    expect(countsOf(text, '/none')).toBeNull();
  });
});

describe.skipIf(noMounts !== '')(`udax top${because}`, () => {
  let place: Place;
  let at: string;
  beforeAll(() => {
    place = new Place();
    place.makeVolume('64MiB');
    at = place.mount('dax0.0', '--metrics', '0');
    sh(`echo hello > '${at}/a'; cat '${at}/a'`);
  });
  afterAll(() => place.close());
  const command = (rest: string) => `'${process.execPath}' '${binary}' --root '${place.root}' ${rest}`;
  const noLive = noTerminal;

  it('where stdout is no terminal is one look as text, and a document with --json', () => {
    const { status, stdout } = place.udax('top');
    expect([status, stdout.includes('\u001b')]).toEqual([0, false]);
    expect(stdout).toMatch(/^udax top {2}\d\d:\d\d:\d\d/);
    expect(stdout).toContain(at);
    const found = JSON.parse(place.udax('--json', 'top').stdout) as Snapshot;
    expect(found.devices).toMatchObject([{ name: 'dax0.0', mode: 'famfs', holders: 1 }]);
    expect(found.volumes).toMatchObject([{ device: 'dax0.0', problem: null, files: 1 }]);
    const own = found.mounts.find(({ mountpoint }) => mountpoint === at)!;
    expect(own.counts!.requests).toBeGreaterThan(2);
    expect(own.counts!.writtenBytes).toBe(6);
  });

  it.skipIf(noLive !== '')(`q ends it, and the terminal is as before${noLive}`, async () => {
    const terminal = onTerminal(`stty -g; ${command('top --interval 0.2')}; echo "status $?"; stty -g`);
    await terminal.shows('dax0.0');
    await terminal.shows('OPS/S'); // the second look
    terminal.type('q');
    await terminal.shows('status 0');
    await terminal.ended;
    const text = terminal.text();
    const settings = text.match(/^[0-9a-f:]{20,}/gm)!;
    expect(settings).toHaveLength(2);
    expect(settings[1]).toBe(settings[0]);
    expect(text.indexOf('\u001b[?1049h')).toBeLessThan(text.indexOf('dax0.0'));
    expect(text.indexOf('\u001b[?25h\u001b[?1049l')).toBeGreaterThan(text.lastIndexOf('dax0.0'));
  });

  it.skipIf(noLive !== '')(`Ctrl-C ends it, and the terminal is as before${noLive}`, async () => {
    const terminal = onTerminal(`stty -g; ${command('top')}; echo "status $?"; stty -g`);
    await terminal.shows('dax0.0');
    terminal.type('\u0003');
    await terminal.shows('status 0');
    await terminal.ended;
    const settings = terminal.text().match(/^[0-9a-f:]{20,}/gm)!;
    expect(settings[1]).toBe(settings[0]);
    expect(terminal.text()).toContain('\u001b[?25h\u001b[?1049l');
  });

  it.skipIf(noLive !== '')(
    `frames are written over each other, never onto a cleared screen, and fit it${noLive}`,
    async () => {
      const terminal = onTerminal(command('top --interval 0.1'), { columns: 40, rows: 8 });
      await expect
        .poll(() => terminal.text().split('\u001b[H').length, { timeout: 20_000 })
        .toBeGreaterThan(4);
      terminal.type('q');
      await terminal.ended;
      const text = terminal.text();
      expect(text).not.toContain('\u001b[2J');
      const frames = text.split('\u001b[H').slice(1, 4);
      for (const frame of frames) {
        const lines = frame.split('\u001b[J')[0]!.split('\r\n');
        expect(lines.length).toBeLessThanOrEqual(8);
        for (const line of lines) expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(40);
        expect(lines.at(-1)).toMatch(/more lines\)/);
      }
    },
  );

  it.skipIf(noLive !== '')(`NO_COLOR takes colours and bold away${noLive}`, async () => {
    const [plain, coloured] = [{ NO_COLOR: '1' }, {}].map((env) => onTerminal(command('top'), { env }));
    for (const terminal of [plain!, coloured!]) {
      await terminal.shows('dax0.0');
      terminal.type('q');
      await terminal.ended;
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are looked for
    const attributes = /\u001b\[[0-9;]*m/;
    expect(plain!.text()).not.toMatch(attributes);
    expect(coloured!.text()).toMatch(attributes);
  });

  it('refuses an interval that is none', () => {
    for (const interval of ['0', 'often', '-1'])
      expect(place.udax('top', `--interval=${interval}`).status).toBe(2);
  });
});
