/**
 * Incident: queues sent strings as garbage; only one option of several was checked (`{ systemUuid: undefined }` was a TypeError);
 * a wrong position after correct bytes was accepted; and udax/mounts threw Node's own errors. Right: each argument and each
 * option, when it alone is wrong, gives a DaxError.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { type PublicFunction, publicFunctions } from './declared.js';

const child = fileURLToPath(new URL('./wrong-types-child.mjs', import.meta.url));
const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) fs.rmSync(directory, { recursive: true, force: true });
});

/**
 * Why these are not called here. All others that take arguments are called, so a new one needs an instance in the child or a
 * reason here.
 */
const NOT_CALLED: Record<string, string> = {
  KernelMachine: 'would change the bus of the host this runs on',
  BorrowedMode: 'given out by a KernelMachine only',
  FamfsMount: 'needs a FUSE mount: test/mounts',
  FuseSession: 'needs a FUSE mount: test/fuse',
  BusAccess: 'what a Machine is',
  DaxTree: 'implemented by who has another tree',
  ReadableTree: 'what Sysfs is',
  ReadonlyUint8Array: 'methods of Uint8Array',
};

const functions = publicFunctions().filter(
  ({ owner, name, parameters }) => parameters.length > 0 && !NOT_CALLED[owner === '' ? name : owner],
);
const owners = [...new Set(functions.map(({ owner }) => owner))];

async function wrongAnswers(asked: PublicFunction[]): Promise<{ calls: number; failures: string[] }> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-wrong-types-'));
  directories.push(directory);
  const process_ = spawn(process.execPath, [child, directory], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: directory, UDAX_ROOT: path.join(directory, 'default') },
  });
  let said = '';
  process_.stderr.on('data', (data) => (said += data));
  process_.stdout.resume();
  process_.stdin.end(JSON.stringify(asked));
  const [code, signal] = await once(process_, 'close');
  const now = path.join(directory, 'now');
  const last = fs.existsSync(now) ? fs.readFileSync(now, 'utf8') : 'before the first call';
  expect({ code, signal, said }, `ended at ${last}`).toMatchObject({ code: 0 });
  const result = JSON.parse(fs.readFileSync(path.join(directory, 'result.json'), 'utf8')) as {
    calls: number;
    failures: { called: string; shown: string; error: string }[];
  };
  return {
    calls: result.calls,
    failures: result.failures.map(({ called, shown, error }) => `${called}(${shown}): ${error}`),
  };
}

describe('a public function called with wrong values answers with a DaxError', () => {
  it('is found by reading the declaration files', () => {
    const names = functions.map(({ owner, name }) => `${owner}.${name}`);
    for (const known of [
      '.mkfs',
      '.openVolume',
      '.mountFamfsAt',
      'Volume.create',
      'VolumeFile.mapAs',
      'Queue.tryPut',
    ]) {
      expect(names).toContain(known);
    }
    const all = new Set(publicFunctions().map(({ owner, name }) => (owner === '' ? name : owner)));
    expect(Object.keys(NOT_CALLED).filter((name) => !all.has(name))).toEqual([]);
  });

  for (const owner of owners) {
    it(owner === '' ? 'functions of the package' : owner, { timeout: 600_000 }, async () => {
      const { failures } = await wrongAnswers(functions.filter((each) => each.owner === owner));
      expect(failures).toEqual([]);
    });
  }
});
