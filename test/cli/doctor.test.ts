/** What `udax doctor` says of services, and that it leaves nothing. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, noMounts, Place, until } from '../mounts/support.js';
import { temporaryDirectory, testEnvironment, udax } from './support/udax.js';

interface Finding {
  subject: string;
  verdict: string;
  found: string;
  meaning: string;
}

function findingsOf(root: string): Finding[] {
  return (JSON.parse(udax(root, '--json', 'doctor').stdout) as { findings: Finding[] }).findings;
}
const findingOf = (root: string, subject: string) =>
  findingsOf(root).find((finding) => finding.subject === subject)!;

let directory: ReturnType<typeof temporaryDirectory>;
const root = () => join(directory.path, 'state');
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => {
  udax(root(), 'destroy-region', '-f', '0');
  directory.remove();
});

describe('udax doctor', () => {
  it('says of everything it looks at what it means, once', () => {
    const findings = findingsOf(root());
    for (const { subject, meaning } of findings)
      expect([subject, meaning.length > 10]).toEqual([subject, true]);
    const subjects = findings.map(({ subject }) => subject);
    expect(new Set(subjects).size).toBe(subjects.length);
    for (const subject of [
      'state directory',
      'memory in RAM',
      'mounts',
      'request queue',
      'services',
      'terminal',
    ])
      expect(subjects).toContain(subject);
  });

  it('tells memory in RAM of this machine, and that a restart emptied it', () => {
    const { backing } = JSON.parse(udax(root(), '--json', 'create-region', '--ram', '4M').stdout);
    expect(findingOf(root(), 'memory in RAM')).toMatchObject({
      verdict: 'ok',
      found: expect.stringContaining('1 of this machine'),
    });
    rmSync(backing.path);
    const lost = findingOf(root(), 'memory in RAM');
    expect(lost).toMatchObject({ verdict: 'limited', found: expect.stringContaining('region 0') });
    expect(lost.meaning).toContain('udax systemd-unit machine');
  });

  it('tells whose the state directory is: its owner alone, a group, everybody', () => {
    expect(findingOf(root(), 'state directory').found).toContain('is not there yet');
    mkdirSync(root());
    for (const [mode, verdict, words] of [
      [0o700, 'ok', /others than its owner/],
      [0o2770, 'ok', new RegExp(`group ${statSync(root()).gid} shares`)],
      [0o777, 'limited', /any user can take/],
    ] as const) {
      chmodSync(root(), mode);
      expect(findingOf(root(), 'state directory')).toMatchObject({
        verdict,
        meaning: expect.stringMatching(words),
      });
    }
    chmodSync(root(), 0o700);
  });

  it.skipIf(noMounts !== '')(`tells a mount whose daemon was killed, and what to do${because}`, async () => {
    const place = new Place();
    try {
      place.makeVolume('64MiB');
      const at = place.mount('dax0.0', '--metrics', '0');
      expect(findingOf(place.root, 'mounts')).toMatchObject({
        found: expect.stringMatching(/[1-9]\d* with metrics/),
      });
      const pid = place.daemonPid(at);
      process.kill(pid, 'SIGKILL');
      // Others of this host may be dead too: other tests kill daemons.
      const isDead = new RegExp(`${at} .*dead`);
      await until('the mount is dead', () => isDead.test(place.udax('mounts').stdout));
      const dead = findingOf(place.root, 'mounts');
      expect(dead).toMatchObject({ verdict: 'limited', found: expect.stringContaining(`${at} is dead`) });
    } finally {
      place.close();
    }
  });

  // Incident: its probe of locks removed its directory by listing it, which takes a descriptor that was not there.
  it('leaves no directory behind where it may open few files', () => {
    const temporary = mkdtempSync(join(tmpdir(), 'udax-few-'));
    const child = join(import.meta.dirname, '../support/late-descriptors.mjs');
    const dist = join(import.meta.dirname, '../../dist');
    try {
      for (const spare of [0, 1, 2, 3, 4, 6, 8, 16]) {
        const line = [
          '-c',
          'ulimit -n 300; exec "$0" "$@"',
          process.execPath,
          child,
          dist,
          String(spare),
          '--root',
          root(),
          'doctor',
        ];
        const { signal } = spawnSync('sh', line, {
          env: { ...testEnvironment(), TMPDIR: temporary },
          timeout: 600_000,
        });
        expect([spare, signal, readdirSync(temporary)]).toEqual([spare, null, []]);
      }
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  });
});
