// Claims S12, S13, S15 and S16 of docs/security.md: the mount against its users, and what a process starts and trusts.
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { because, noMounts, Place, sh } from '../mounts/support.js';

const NOBODY = 65534;
const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'].join(' ');

describe(`a mount${because}`, () => {
  const places: Place[] = [];
  afterEach(() => {
    for (const place of places.splice(0)) place.close();
  });

  function place(): Place {
    const made = new Place();
    places.push(made);
    made.makeVolume();
    fs.chmodSync(made.directory, 0o755);
    return made;
  }

  it.skipIf(noMounts !== '')(
    'S12: is nosuid and nodev: a set-user-id program of root gives nobody root',
    () => {
      const made = place();
      const volume = made.volume();
      const program = fs.readFileSync('/usr/bin/id');
      volume.create('/id', { size: program.length, mode: 0o4755, uid: 0, gid: 0 }).write(program, 0);
      volume.close();
      const at = made.mount('dax0.0', '--allow-other');
      const line = fs
        .readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .find((each) => each.includes(` ${at} `));
      expect(line).toMatch(/nosuid/);
      expect(line).toMatch(/nodev/);
      expect((fs.statSync(path.join(at, 'id')).mode & 0o7777).toString(8)).toBe('4755');
      expect(sh(`${asNobody} ${at}/id -u`).stdout.trim()).toBe(String(NOBODY));
    },
  );

  it.skipIf(noMounts !== '')(
    'S13: lets others do what modes and owners allow, with --allow-other; and nobody in without',
    () => {
      const made = place();
      const volume = made.volume();
      for (const [name, mode, uid] of [
        ['closed', 0o600, 0],
        ['open', 0o644, 0],
        ['theirs', 0o600, NOBODY],
      ] as const) {
        volume.create(`/${name}`, { size: 5, mode, uid }).write(new TextEncoder().encode('hello'), 0);
      }
      volume.close();
      const at = made.mount('dax0.0', '--allow-other');
      const status = (command: string) => sh(`${asNobody} sh -c '${command}'`).status;
      expect(status(`cat ${at}/closed`)).not.toBe(0);
      expect(status(`cat ${at}/open`)).toBe(0);
      expect(status(`cat ${at}/theirs`)).toBe(0);
      expect(status(`printf x | dd of=${at}/open conv=notrunc`)).not.toBe(0);
      expect(status(`printf x | dd of=${at}/theirs conv=notrunc`)).toBe(0);
      expect(status(`chmod 777 ${at}/closed`)).not.toBe(0);
      expect(status(`mkdir ${at}/d`)).not.toBe(0);
      expect(fs.readFileSync(path.join(at, 'open'), 'utf8')).toBe('hello');
      const closed = place();
      const own = closed.mount('dax0.0');
      expect(sh(`${asNobody} ls ${own}`).stderr).toMatch(/Permission denied/);
    },
  );

  it.skipIf(noMounts !== '')('S15: that would hide its own state directory or memory is refused', () => {
    const made = place();
    for (const at of [made.root, path.join(made.root, 'regions'), made.directory]) {
      const { status, stderr } = made.udax('mount', 'dax0.0', at);
      expect([at, status]).toEqual([at, 1]);
      expect(stderr).toMatch(/would hide .*\(EBUSY\)/);
    }
  });

  it.skipIf(noMounts !== '')(
    'S16: nothing is run from a state directory, a volume or the working directory',
    () => {
      const made = place();
      const trap = path.join(made.directory, 'trap');
      for (const name of [
        'sh',
        'node',
        'fusermount3',
        'mount',
        'umount',
        'daxctl',
        'package.json',
        'koffi.node',
      ]) {
        for (const directory of [made.root, made.directory]) {
          fs.writeFileSync(path.join(directory, name), `#!/bin/sh\ntouch ${trap}\n`, { mode: 0o755 });
        }
      }
      const { status } = sh(
        `cd ${made.directory} && ${process.execPath} ${path.resolve('bin/udax.js')} --root ${made.root} status`,
      );
      expect(status).toBe(0);
      made.mount('dax0.0');
      expect(fs.existsSync(trap)).toBe(false);
    },
  );
});

describe('docs/security.md', () => {
  it('has a test for each of its claims, and no test claims what it does not say', () => {
    const numbers = (text: string, pattern: RegExp) =>
      new Set([...text.matchAll(pattern)].map(([, number]) => Number(number)));
    const page = fs.readFileSync(path.resolve(import.meta.dirname, '../../docs/security.md'), 'utf8');
    const claims = numbers(page, /^- \*\*S(\d+)\*\*/gm);
    const tests = fs
      .readdirSync(import.meta.dirname)
      .map((name) => fs.readFileSync(path.join(import.meta.dirname, name), 'utf8'))
      .join('\n');
    expect(claims.size).toBeGreaterThan(10);
    expect(claims.size, 'claims have numbers of their own').toBe(page.match(/^- \*\*S\d+\*\*/gm)!.length);
    expect(numbers(tests, /[`']S(\d+): /g)).toEqual(claims);
  });
});
