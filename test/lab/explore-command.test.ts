import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exploreCommand, mutants, scopeNamed } from '../../src/lab/explore/index.js';
import { emitShell } from '../../src/lab/explore/shell/emit.js';

const V9_SCRIPT = `#!/bin/sh
# udax explore: scope binding, mutant v9-match
# I4: dax0.0 is bound to fsdev_dax without its id
#
# Run as root on a machine you can lose, with these regions and none of the dax driver modules loaded:
#   region 0: static (pmem), device type, 1 unit or more
#   region 1: dynamic (hmem), kmem type, 1 unit or more
# Sizes are counted in units of UNIT bytes (2 MiB; with kmem make it the memory block size).
set -u
SYS=\${SYS:-/sys} UNIT=\${UNIT:-2097152}
dax0_0=\${DAX0_0:-dax0.0}
dax1_0=\${DAX1_0:-dax1.0}
try() {
  what=$1
  shift
  if answer=$("$@" 2>&1); then echo "$what: ok\${answer:+ ($answer)}"; else echo "$what: failed: $answer"; fi
}

try 'insmod fsdev_dax' modprobe fsdev_dax

dmesg | tail -n 40`;

describe('udax explore', () => {
  it('prints every depth, and exits 0 when nothing is broken', () => {
    const { exitCode, output } = exploreCommand({ scope: 'binding', depth: 2 });
    expect(exitCode).toBe(0);
    expect(output).toMatch(/depth +states +events +seconds/);
    expect(output).toMatch(/every state up to depth 2\nno invariant broken/);
  });

  it('prints the shortest way to a violation and how to see it again', () => {
    const { exitCode, output } = exploreCommand({ mutant: 'no-clear-on-unbind' });
    expect(exitCode).toBe(0);
    const again = /--scope (\S+) --mutant (\S+) --trace "(.*)"/.exec(output)!;
    const [, scope, mutant, trace] = again;
    const rerun = exploreCommand({ scope: scope!, mutant: mutant!, trace: trace! });
    expect(rerun.exitCode).toBe(1);
    expect(rerun.output).toContain('I3: pages of dax0.0 at 0x100000000 are not at rest after fsdev_dax');
  });

  it('counts the mutants it caught, and exits 1 when one survives', () => {
    expect(exploreCommand({ mutant: 'all' }).output).toMatch(/21 of 21 mutants caught$/);
    const survived = exploreCommand({ mutant: 'v9-match', scope: 'late-map', depth: 0 });
    expect(survived).toMatchObject({ exitCode: 1 });
  });

  it('gives one JSON document with the trace and the command that repeats it', () => {
    const [result] = JSON.parse(exploreCommand({ mutant: 'v9-match', json: true }).output);
    expect(result).toMatchObject({
      flag: 'v9-match',
      caught: true,
      invariant: 'I4',
      found: { trace: ['insmod fsdev_dax'] },
    });
    const plain = JSON.parse(exploreCommand({ scope: 'binding', depth: 1, json: true }).output);
    expect(plain).toMatchObject({ ended: 'depth', found: null, depths: [{ depth: 1 }] });
  });

  it('takes more devices and fewer drivers', () => {
    const output = exploreCommand({
      scope: 'binding',
      devices: 3,
      drivers: ['fsdev_dax'],
      depth: 1,
      json: true,
    }).output;
    expect(JSON.parse(output)).toMatchObject({ devices: 3, drivers: ['fsdev_dax'] });
  });

  it('lists scopes, events and mutants', () => {
    const { output } = exploreCommand({ list: true });
    for (const word of ['late-map', 'new_id DRIVER DEVICE', 'kernel72-mapping-warn'])
      expect(output).toContain(word);
  });

  it.each([
    [{ scope: 'nowhere' }, /no scope nowhere/],
    [{ mutant: 'v10' }, /no mutant v10/],
    [{ trace: ' ; ' }, /no events/],
    [{ trace: 'modprobe x' }, /no event modprobe/],
    [{ trace: 'bind device_dax' }, /DRIVER DEVICE/],
    [{ depth: -1 }, /depth -1/],
    [{ time: 0 }, /time 0/],
    [{ devices: 99 }, /99 devices/],
    [{ drivers: ['nouveau'] }, /no driver nouveau/],
    [{ mutant: 'all', emitShell: true }, /name one mutant/],
    [{ scope: 'ranges', drivers: ['device_dax'], devices: 1, depth: 1, graph: 'dot' }, null],
  ] as const)('%j is answered, not crashed on', (options, message) => {
    if (message === null) expect(() => exploreCommand(options)).not.toThrow(TypeError);
    else expect(() => exploreCommand(options)).toThrow(message);
  });

  it('draws the states of a small scope', () => {
    const dot = exploreCommand({ scope: 'late-map', graph: 'dot', depth: 1 }).output;
    expect(dot).toMatch(/^digraph explore \{/);
    expect(dot).toContain('s0 -> s1 [label="insmod device_dax"];');
    const mermaid = exploreCommand({ scope: 'late-map', graph: 'mermaid', depth: 1 }).output;
    expect(mermaid).toContain('s1["device_dax<br>dax0.0=device_dax"]');
    expect(() => exploreCommand({ graph: 'dot', depth: 9 })).toThrow(/too many to draw/);
  });
});

describe('docs/dax.md', () => {
  const text = readFileSync(new URL('../../docs/dax.md', import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/```console\n\$ udax explore ?(.*)\n([\s\S]*?)```/g)];
  /** Removes times and the blanks before them, which differ between runs. */
  const timeless = (output: string): string => output.replace(/ *\d+\.\d\d/g, ' T');

  it('shows something', () => expect(blocks.length).toBeGreaterThanOrEqual(5));

  it.each(blocks.map(([, words, output]) => [words!, output!]))(
    'prints what `udax explore %s` prints',
    (words, output) => {
      const flags = [...words.matchAll(/--([a-z]+) (?:"([^"]*)"|(\S+))/g)];
      const options = Object.fromEntries(
        flags.map(([, name, quoted, plain]) => [name, name === 'depth' ? Number(plain) : (quoted ?? plain)]),
      );
      expect(timeless(exploreCommand(options).output)).toBe(timeless(output.trimEnd()));
    },
  );
});

describe('--emit-shell', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'udax-explore-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** A directory tree in place of /sys, and programs such as modprobe that only print their name. */
  function run(script: string, attributes: Record<string, string>): string {
    for (const [path, text] of Object.entries(attributes)) {
      mkdirSync(join(directory, path, '..'), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    for (const name of ['modprobe', 'rmmod', 'dmesg', 'mount', 'umount', 'daxctl']) {
      writeFileSync(join(bin, name), `#!/bin/sh\n[ ${name} = dmesg ] || echo "${name} $*"\n`);
      chmodSync(join(bin, name), 0o755);
    }
    return execFileSync('sh', ['-c', script], {
      env: { PATH: `${bin}:${process.env.PATH}`, SYS: directory, MOUNTS: join(directory, 'mnt') },
      encoding: 'utf8',
    });
  }

  it('prints what a person would type', () => {
    expect(exploreCommand({ mutant: 'v9-match', emitShell: true })).toEqual({
      exitCode: 0,
      output: V9_SCRIPT,
    });
  });

  it('is a script that writes the right bytes into the right attributes', () => {
    const { output } = exploreCommand({ mutant: 'kernel72-mapping-while-bound', emitShell: true });
    const device = 'bus/dax/devices/dax0.0';
    const answer = run(output, {
      [`${device}/resource`]: '0x140000000\n',
      [`${device}/size`]: '',
      [`${device}/mapping`]: '',
      'bus/dax/drivers/fsdev_dax/new_id': '',
    });
    expect(answer).toContain('insmod fsdev_dax: ok (modprobe fsdev_dax)');
    expect(answer).not.toContain('failed');
    const written = (path: string): string => readFileSync(join(directory, path), 'utf8');
    expect(written(`${device}/size`)).toBe('2097152');
    expect(written('bus/dax/drivers/fsdev_dax/new_id')).toBe('dax0.0');
    expect(written(`${device}/mapping`)).toBe('0x140400000-0x1405fffff');
  });

  it('keeps files open between the lines', () => {
    const trace = ['open f dax0.0', 'mmap m f', 'close f'];
    const script = emitShell(scopeNamed('open-files'), trace, { about: [] });
    const answer = run(script, {});
    expect(answer).toMatch(/open f dax0\.0: failed: failed: No such file/);
    expect(answer).toMatch(/mmap m f: failed/);
  });

  it('writes every event of every mutant', () => {
    for (const { flag } of mutants())
      expect(exploreCommand({ mutant: flag, emitShell: true }).output).toMatch(/^#!\/bin\/sh\n/);
  });
});
