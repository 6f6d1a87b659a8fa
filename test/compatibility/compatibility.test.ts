/**
 * Two versions of udax on one machine: media, annex, arena, queue and state directory. What one made, the other reads and goes on with,
 * in both directions. The earlier versions are in conformance/versions, as npm packed them (without tests, docs and command line).
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const checkout = path.resolve(import.meta.dirname, '../..');
const versions = path.join(checkout, 'conformance', 'versions');
const program = path.join(import.meta.dirname, 'program.mjs');
const packed = fs.readdirSync(versions).filter((name) => name.endsWith('.tgz'));

interface Found {
  tree: Record<string, unknown>;
  values: Record<string, string>;
  messages: number;
  problems: unknown[];
  arenaProblems: unknown[];
}

describe.each(packed)('%s and this version', (archive) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-versions-'));
  const earlier = path.join(directory, 'package');
  beforeAll(() => {
    expect(spawnSync('tar', ['xzf', path.join(versions, archive), '-C', directory]).status).toBe(0);
    fs.symlinkSync(path.join(checkout, 'node_modules'), path.join(directory, 'node_modules'));
  });
  afterAll(() => fs.rmSync(directory, { recursive: true }));

  function run(version: string, act: 'make' | 'go-on' | 'read', root: string, name = ''): Found | undefined {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, version, act, root, name], {
      encoding: 'utf8',
      timeout: 150_000,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return stdout === '' ? undefined : (JSON.parse(stdout) as Found);
  }

  it.each([
    ['the earlier one made', earlier, checkout],
    ['this one made', checkout, earlier],
  ])('what %s is read and gone on with by the other, and then by the first again', (_, maker, other) => {
    const root = fs.mkdtempSync(path.join(directory, 'machine-'));
    run(maker, 'make', root);
    const first = run(maker, 'go-on', root, 'first')!;
    expect(run(other, 'read', root)).toEqual(first);
    const second = run(other, 'go-on', root, 'second')!;
    expect(second).toMatchObject({ problems: [], arenaProblems: [], messages: 2 });
    expect(second.tree).toMatchObject({ ...first.tree, second: { type: 'directory' } });
    expect(Object.keys(second.values)).toEqual(['first/value', 'second/value']);
    expect(run(maker, 'read', root)).toEqual(second);
    const third = run(maker, 'go-on', root, 'third')!;
    expect(third).toMatchObject({ problems: [], arenaProblems: [], messages: 3 });
    expect(run(other, 'read', root)).toEqual(third);
    // Both describe the same acts alike.
    const named = (name: string) =>
      JSON.stringify(third.tree[name])
        .replaceAll(name, '')
        .replace(/"size":\d+/g, '');
    expect(named('second')).toBe(named('first'));
  });
});
