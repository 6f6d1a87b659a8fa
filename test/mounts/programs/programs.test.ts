// A mount that renames, removes and replaces nothing breaks every second program. Each row runs on tmpfs first: on the mount it
// prints the same, and leaves the same tree, before and after the mount was taken down.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { because, have, noMounts, Place } from '../support.js';
import { makeSource, stateOf } from './place.js';
import { type Row, rows } from './rows.js';

const SECONDS = 120;
const missing = new Map(rows.flatMap(({ needs }) => needs).map((need) => [need, !isHere(need)]));

/** A need is a program, or `python:MODULE`. */
function isHere(need: string): boolean {
  const [kind, module] = need.split(':');
  if (module === undefined) return have(need);
  return spawnSync(kind === 'python' ? 'python3' : kind!, ['-c', `import ${module}`]).status === 0;
}

function reasonToSkip({ needs }: Row): string {
  const without = needs.filter((need) => missing.get(need));
  return without.length === 0 ? '' : ` (skipped: no ${without.join(', ')} here)`;
}

describe.skipIf(noMounts !== '')(`programs on a mount${because}`, () => {
  let place: Place;
  let at: string;
  let host: string;
  beforeAll(() => {
    place = new Place();
    place.makeVolume('2GiB');
    at = place.mount('dax0.0', '--settle', '1');
    host = fs.mkdtempSync('/dev/shm/udax-programs-');
    fs.mkdirSync(path.join(host, 'source'));
    makeSource(path.join(host, 'source'));
  });
  afterAll(() => {
    place?.close();
    if (host) fs.rmSync(host, { recursive: true, force: true });
  });

  const run = ({ script }: Row, directory: string, scratch: string): string => {
    fs.mkdirSync(directory, { recursive: true });
    fs.mkdirSync(scratch, { recursive: true });
    const { status, stdout, stderr } = spawnSync(
      'timeout',
      ['-k', '2', String(SECONDS), 'bash', '-euc', script],
      {
        cwd: directory,
        encoding: 'utf8',
        maxBuffer: 1 << 26,
        env: {
          ...process.env,
          S: path.join(host, 'source'),
          T: directory,
          A: scratch,
          HERE: import.meta.dirname,
          HOME: scratch,
          LC_ALL: 'C.UTF-8',
          TZ: 'UTC',
        },
      },
    );
    expect(stderr === '' || status === 0 ? '' : stderr).toBe('');
    expect(status).toBe(0);
    return stdout.replaceAll(directory, '$T').replaceAll(scratch, '$A');
  };

  for (const row of rows) {
    const reason = reasonToSkip(row);
    it.skipIf(reason !== '')(
      `${row.name}${reason}`,
      () => {
        const name = row.name.replaceAll(/[^a-z0-9]+/gi, '-').slice(0, 30);
        const model = path.join(host, name);
        const mine = path.join(at, name);
        const wanted = run(row, model, path.join(host, `${name}.a`));
        expect(run(row, mine, path.join(host, `${name}.b`))).toBe(wanted);
        const withTimes = row.keepsTimes ?? false;
        const left = row.comparesTree === false ? null : stateOf(model, withTimes);
        if (left) expect(stateOf(mine, withTimes)).toEqual(left);
        expect(place.udax('umount', at)).toMatchObject({ status: 0, stderr: '' });
        expect(place.udax('mount', '--settle', '1', 'dax0.0', at)).toMatchObject({ status: 0 });
        if (left) expect(stateOf(mine, withTimes)).toEqual(left);
        row.check?.(mine);
      },
      2 * SECONDS * 1000,
    );
  }

  it('after all of them the volume is in order', () => {
    expect(place.udax('umount', at)).toMatchObject({ status: 0, stderr: '' });
    const { status, stdout, stderr } = place.udax('fsck', 'dax0.0');
    expect([status, stdout + stderr]).toEqual([0, expect.stringMatching(/: clean\n$/)]);
  });
});
