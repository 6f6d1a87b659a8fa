/**
 * Incident: errors of the library told its users to type `udax fsck`, `--loglen` and `-f`: commands and options of a program that
 * they do not run. Right: below src/cli/ an error names functions and options and has a stable `hint`. The command line adds the
 * command to type, and that command exists.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalog, type Invocation } from '../../src/cli/catalog/index.js';
import { describeError } from '../../src/cli/errors.js';
import { commandFor, commandOfHint, stepOfHint } from '../../src/cli/hints.js';
import { buildProgram } from '../../src/cli/program.js';
import { fromPlainError, toPlainError } from '../../src/fuse/session-messages.js';
import { type ErrorHint, openMachine } from '../../src/index.js';
import { asDaxError, DaxError } from '../../src/libc/index.js';
import { binary, temporaryDirectory, testEnvironment, udax } from './support/udax.js';

const hints = Object.keys(stepOfHint) as ErrorHint[];

/** The command lines in a text like `udax a b, then udax c (a remark)`, and the options that a remark names. */
function commandsIn(text: string): { lines: string[]; remarked: string[] } {
  const remarks = [...text.matchAll(/\(([^)]*)\)/g)].map(([, remark]) => remark!);
  return {
    lines: text.replace(/ \([^)]*\)/g, '').split(', then '),
    remarked: remarks.flatMap((remark) => remark.match(/--[a-z-]+/g) ?? []),
  };
}

/** A command line as the real program parses it. @throws Error as commander does */
function parsed(line: string): Invocation {
  let invocation: Invocation | undefined;
  const program = buildProgram(catalog, (asked) => {
    invocation = asked;
  });
  const [name, ...words] = line.split(' ');
  expect(name).toBe('udax');
  program.parse(words, { from: 'user' });
  return invocation!;
}

describe('each hint', () => {
  it.each(hints)('%s is a command that the program understands', (hint) => {
    const options = buildProgram(catalog, () => {}).options.map(({ long }) => long);
    for (const about of [undefined, 'dax0.0']) {
      const { lines, remarked } = commandsIn(commandOfHint(hint, about, ''));
      for (const line of lines) expect(parsed(line).spec.name).toBeTruthy();
      for (const option of remarked) expect(options).toContain(option);
    }
  });

  it('names the machine that the command line was about', () => {
    expect(commandOfHint('fsck', 'dax0.0', 'ls', { root: '/a b' })).toBe("udax --root '/a b' fsck dax0.0");
    expect(commandOfHint('mkfs-anew', 'dax0.0', 'cp', { kernel: true })).toBe(
      'udax --kernel cp -r dax0.0:/ DIR, then udax --kernel mkfs -f dax0.0, then udax --kernel cp -r DIR/. dax0.0:/',
    );
    expect(commandOfHint('kernel-enable', 'dax0.0', 'fsck', { kernel: true })).toMatch(
      /^udax --kernel enable-device dax0\.0 /,
    );
    expect(commandOfHint('other-root', '/x', 'status', { root: '/x' })).toBe('udax --root DIR status');
    expect(commandOfHint('fsck', "it's; rm -r /", 'ls')).toBe("udax fsck 'it'\\''s; rm -r /'");
  });

  it('a line that the program does not understand would be noticed', () => {
    expect(() => parsed('udax fsck --no-such-option dax0.0')).toThrow(/unknown option/);
    expect(() => parsed('udax no-such-command')).toThrow(/unknown command/);
  });
});

describe('a hint survives', () => {
  const first = new DaxError('EBADMSG', 'a log is damaged', { path: 'dax0.0', hint: 'fsck' });

  it('an error that is built on it, with the path it is about', () => {
    const wrapped = new DaxError('EIO', 'reading /a failed', { path: '/a', cause: first });
    expect(wrapped).toMatchObject({ path: '/a', hint: 'fsck', hintPath: 'dax0.0' });
    const again = new DaxError('EIO', 'copying failed', { cause: wrapped });
    expect(commandFor(again, 'cp')).toBe('udax fsck dax0.0');
  });

  it('but not one that has a hint of its own', () => {
    const other = new DaxError('ENOSPC', 'no room', { path: 'dax1.0', hint: 'mkfs-anew', cause: first });
    expect(commandFor(other, 'cp')).toMatch(/^udax cp -r dax1\.0:\/ DIR/);
  });

  it('asDaxError, which gives one to an error of Node', () => {
    expect(asDaxError(first, 'doing it')).toBe(first);
    const node = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', path: '/state' });
    expect(asDaxError(node, 'state directory', undefined, 'other-root')).toMatchObject({
      path: '/state',
      hint: 'other-root',
    });
  });

  it('the way out of a worker', () => {
    const told = fromPlainError(structuredClone(toPlainError(first)));
    expect(told).toMatchObject({ code: 'EBADMSG', path: 'dax0.0', hint: 'fsck' });
    expect(commandFor(told, 'mount')).toBe('udax fsck dax0.0');
  });

  it('is a second line for people, and a field of the document', () => {
    expect(describeError(first, 'ls')).toBe('udax: a log is damaged (EBADMSG)\nTry: udax fsck dax0.0\n');
    expect(JSON.parse(describeError(first, 'ls', 'document'))).toEqual({
      error: { code: 'EBADMSG', message: 'a log is damaged', path: 'dax0.0', hint: 'udax fsck dax0.0' },
    });
    expect(describeError(new DaxError('EIO', 'it broke'), 'ls')).toBe('udax: it broke (EIO)\n');
  });
});

describe('the program', () => {
  const directory = temporaryDirectory();
  const root = join(directory.path, 'root');
  beforeAll(() => {
    expect(udax(root, 'create-region', '-s', '32M', '--sparse').status).toBe(0);
  });
  afterAll(() => directory.remove());

  /** Runs a command that fails, and then the advice of its message, unchanged, in a shell. */
  function followed(...words: string[]): string {
    const { status, stderr } = udax(root, ...words);
    expect(status).toBe(1);
    const step = /\nTry: (udax .*)\n$/.exec(stderr)?.[1]?.replace(/ \([^)]*\)$/, '') ?? stderr;
    const udaxFunction = `udax() { '${process.execPath}' '${binary}' "$@"; }\n`;
    const done = spawnSync('/bin/sh', ['-c', udaxFunction + step], {
      encoding: 'utf8',
      env: testEnvironment(),
    });
    expect(done).toMatchObject({ status: 0, stderr: '' });
    return step;
  }

  it('tells the next step, which works as it is typed, until all is done', () => {
    expect(followed('mkfs', 'dax0.0')).toBe(`udax --root ${root} reconfigure-device -m famfs dax0.0`);
    expect(followed('ls', 'dax0.0:/')).toBe(`udax --root ${root} mkfs dax0.0`);
    expect(udax(root, 'ls', 'dax0.0:/')).toMatchObject({ status: 0, stderr: '' });
    expect(followed('mkfs', 'dax0.0')).toBe(`udax --root ${root} mkfs -f dax0.0`);
  });

  it('gives it as `hint` with --json, and no flag in the message', () => {
    const { status, stderr } = udax(root, '--json', 'mkfs', 'dax0.0');
    expect(status).toBe(1);
    const { error } = JSON.parse(stderr);
    expect(error).toMatchObject({ code: 'EEXIST', path: 'dax0.0' });
    expect(error.hint).toBe(`udax --root ${root} mkfs -f dax0.0 (what is there is lost)`);
    expect(error.message).not.toMatch(/ -f|udax /);
  });

  it('fsck says what helps against what it found, for people and as a document', () => {
    const image = join(directory.path, 'torn.img');
    writeFileSync(image, Buffer.alloc(32 * 2 ** 20));
    expect(udax(root, 'mkfs', image).status).toBe(0);
    const clean = udax(root, 'fsck', image);
    expect(clean).toMatchObject({ status: 0 });
    expect(clean.stdout).not.toContain('Try:');
    // The file was cut, so the log's memory is gone.
    const machine = openMachine(join(directory.path, 'other'), { create: true });
    machine.createRegion({ size: '32MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    machine.close();
    const other = join(directory.path, 'other');
    expect(udax(other, 'mkfs', 'dax0.0').status).toBe(0);
    expect(udax(other, 'poison', 'dax0.0', '2M').status).toBe(0);
    const step = `udax --root ${other} cp -r --salvage dax0.0:/ DIR`;
    const told = udax(other, 'fsck', 'dax0.0');
    expect(told.status).toBe(1);
    expect(told.stdout).toContain(`\nTry: ${step}, then `);
    const { errors } = JSON.parse(udax(other, '--json', 'fsck', 'dax0.0').stdout);
    expect(errors[0]).toMatchObject({ code: 'metadata-memory', hint: expect.stringContaining(step) });
    expect(errors[0].message).not.toContain('udax');
    // Mounting it is refused with the same advice.
    expect(udax(other, 'ls', 'dax0.0:/').stderr).toContain(`\nTry: ${step}, then `);
  });
});
