// What went wrong: a user who may only read could lock machine.lock and the log. Every writer then waited 30 s for that user, as
// for a stopped process, with the event loop blocked. Right: readers cannot open machine.lock and do not need it. A wait takes
// less than 100 ms (or as long as the caller asked for), and its error names the process that has the lock.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mkfs, mountFamfs } from '../../src/index.js';
import { openMachine } from '../../src/machine/index.js';
import { Child, codeOf, errorOf, isRoot, MiB, temporaryDirectory, temporaryMachine } from './support.js';

const NOBODY = 65534;
const LOG_HEADER = ['2097152', '48'];
/** Limit for a refused call. On a busy machine the process may not run for longer than the bound itself. */
const NO_LONG_WAIT_MS = 2000;

function timed<T>(act: () => T): { result: T; ms: number } {
  const start = performance.now();
  const result = act();
  return { result, ms: performance.now() - start };
}

function closedRoot(directoryMode = 0o700): string {
  const parent = temporaryDirectory();
  fs.chmodSync(parent, 0o755);
  const root = path.join(parent, 'state');
  fs.mkdirSync(root);
  fs.chmodSync(root, directoryMode);
  const machine = openMachine(root, { create: true, lockWaitMs: 30_000 });
  machine.createRegion({ size: '32MiB' });
  machine.reconfigure('dax0.0', 'famfs');
  mkfs(machine.device('dax0.0'));
  machine.close();
  return root;
}

/** A machine opened with the default patience, which is none. */
function impatient(root: string) {
  const machine = openMachine(root);
  onTestFinished(() => machine.close());
  return machine;
}

/** A process that is stopped in the middle of a change. It continues and ends with the test. */
async function stoppedInChange(root: string): Promise<Child> {
  const child = new Child('stopInChange', [root]);
  expect(await child.answer()).toEqual({ stopping: true });
  await isStopped(child.pid);
  return child;
}

async function isStopped(pid: number): Promise<void> {
  while (!/\) T /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('machine.lock', () => {
  it.each([
    ['700', '600'],
    ['755', '600'],
    ['775', '660'],
    ['777', '666'],
  ])('of a directory of mode %s has mode %s: who may only read cannot lock it', (directory, lock) => {
    const file = path.join(closedRoot(Number.parseInt(directory, 8)), 'machine.lock');
    expect((fs.statSync(file).mode & 0o777).toString(8)).toBe(lock);
  });

  it('that an older udax made for everybody is closed by the next who opens the machine', () => {
    const root = closedRoot(0o755);
    fs.chmodSync(path.join(root, 'machine.lock'), 0o644);
    impatient(root);
    expect(fs.statSync(path.join(root, 'machine.lock')).mode & 0o777).toBe(0o600);
  });

  it('kept by a stopped process is EBUSY that names it, after no longer than was asked for', async () => {
    const root = closedRoot();
    const child = await stoppedInChange(root);
    const machine = impatient(root);
    const { result: error, ms } = timed(() => errorOf(() => machine.createRegion({ size: '2MiB' })));
    expect(error).toMatchObject({ code: 'EBUSY' });
    expect(error.message).toMatch(/being changed by (pid|a process)/);
    expect(ms).toBeLessThan(NO_LONG_WAIT_MS);
    const patient = openMachine(root, { lockWaitMs: 500 });
    onTestFinished(() => patient.close());
    const slow = timed(() => errorOf(() => patient.createRegion({ size: '2MiB' })));
    expect(slow.result.message).toContain(`pid ${child.pid}`);
    expect(slow.ms).toBeGreaterThanOrEqual(500);
    process.kill(child.pid, 'SIGCONT');
    expect(await child.answer()).toEqual({ continued: true });
    const later = openMachine(root, { lockWaitMs: 30_000 });
    onTestFinished(() => later.close());
    expect(later.createRegion({ size: '2MiB' }).id).toBe(1);
  });

  it("is in nobody's way who reads: listing, mounting and reading go on under a change that was stopped", async () => {
    const root = closedRoot();
    await stoppedInChange(root);
    const machine = impatient(root);
    expect(machine.devices()).toHaveLength(1);
    expect(machine.status().regions).toHaveLength(1);
    const volume = mountFamfs(machine.device('dax0.0'), { readOnly: true });
    expect(volume.readdir('/')).toEqual([]);
    volume.close();
  });

  it('tells whom it keeps waiting, once', async () => {
    const root = closedRoot();
    await stoppedInChange(root);
    const told: string[] = [];
    const patient = openMachine(root, { lockWaitMs: 1500, onLockWait: (what) => told.push(what) });
    onTestFinished(() => patient.close());
    expect(codeOf(() => patient.createRegion({ size: '2MiB' }))).toBe('EBUSY');
    expect(told).toEqual([`the lock of ${root}`]);
  });

  it.skipIf(!isRoot)(
    'is not needed by a user who may only read: he lists while a change was stopped (needs root to become nobody)',
    async () => {
      const root = closedRoot(0o755);
      await stoppedInChange(root);
      const child = new Child('readOnly', [root], { uid: NOBODY });
      expect(await child.answer()).toMatchObject({ ok: true, value: [{ name: 'dax0.0' }] });
      expect(await child.answer()).toMatchObject({ ok: false, code: 'EACCES' });
    },
  );
});

describe('the log', () => {
  it('locked by who may only read the memory is EBUSY that names him; what only reads is not held up', async () => {
    const root = closedRoot();
    const memory = path.join(root, 'regions', '0.mem');
    const child = new Child('lockShared', [memory, ...LOG_HEADER]);
    expect(await child.answer()).toEqual({ locked: true });
    const machine = temporaryMachine(root);
    const volume = mountFamfs(machine.device('dax0.0'));
    onTestFinished(() => volume.close());
    expect(volume.readdir('/')).toEqual([]);
    const { result: error, ms } = timed(() => errorOf(() => volume.mkdir('/d')));
    expect(error).toMatchObject({ code: 'EBUSY' });
    expect(ms).toBeLessThan(NO_LONG_WAIT_MS);
    const patient = mountFamfs(machine.device('dax0.0'), { lockWaitMs: 300 });
    onTestFinished(() => patient.close());
    expect(errorOf(() => patient.mkdir('/d')).message).toContain(`pid ${child.pid}`);
    await child.killHard();
    volume.mkdir('/d');
    expect(volume.readdir('/')).toEqual(['d']);
  });

  it('is waited for by copyIn while the event loop runs, until the signal is aborted', async () => {
    const root = closedRoot();
    const child = new Child('lockShared', [path.join(root, 'regions', '0.mem'), ...LOG_HEADER]);
    await child.answer();
    const source = path.join(temporaryDirectory(), 'source');
    fs.writeFileSync(source, 'content');
    const volume = mountFamfs(temporaryMachine(root).device('dax0.0'));
    onTestFinished(() => volume.close());
    const abort = new AbortController();
    const aborted = volume.copyIn(source, '/aborted', { signal: abort.signal });
    const copied = volume.copyIn(source, '/copied');
    // The event loop runs while both wait.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const reason = new Error('changed my mind');
    abort.abort(reason);
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError', cause: reason });
    expect(volume.readdir('/')).toEqual([]);
    await child.killHard();
    await copied;
    expect(volume.readdir('/')).toEqual(['copied']);
  });

  it('space that somebody locks is ENOSPC that says who, and free again with him', async () => {
    const root = closedRoot();
    const child = new Child('lockShared', [path.join(root, 'regions', '0.mem'), '12582912', '0']);
    await child.answer();
    const volume = mountFamfs(temporaryMachine(root).device('dax0.0'), { lockWaitMs: 300 });
    onTestFinished(() => volume.close());
    const error = errorOf(() => volume.create('/a', { size: 8 * MiB }));
    expect(error).toMatchObject({ code: 'ENOSPC' });
    expect(error.message).toContain(`pid ${child.pid}`);
    await child.killHard();
    volume.create('/a', { size: 8 * MiB });
  });

  it('is not lost by one copy to another of the same process', async () => {
    const root = closedRoot();
    const source = path.join(temporaryDirectory(), 'source');
    fs.writeFileSync(source, 'content');
    const volume = mountFamfs(temporaryMachine(root).device('dax0.0'));
    onTestFinished(() => volume.close());
    const names = Array.from({ length: 8 }, (_, index) => `/${index}`);
    await Promise.all(names.map((name) => volume.copyIn(source, name)));
    expect(volume.readdir('/')).toHaveLength(8);
  });
});

describe('what lies in the place of our files', () => {
  it.each(['a pipe', 'a link', 'a directory'])('%s in holders/ is nobody, and stays', (kind) => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const stranger = path.join(machine.root, 'holders', 'x');
    if (kind === 'a pipe') spawnSync('mkfifo', [stranger]);
    if (kind === 'a link') fs.symlinkSync('/dev/zero', stranger);
    if (kind === 'a directory') fs.mkdirSync(stranger);
    expect(machine.holders()).toEqual([]);
    expect(machine.reconfigure('dax0.0', 'famfs').mode).toBe('famfs');
    machine.device('dax0.0').hold('mount').release();
    expect(fs.lstatSync(stranger)).toBeDefined();
  });

  it.each(['a pipe', 'a link', 'a directory'])(
    '%s instead of machine.lock is an error that names it',
    (kind) => {
      const root = closedRoot();
      const file = path.join(root, 'machine.lock');
      fs.rmSync(file);
      if (kind === 'a pipe') spawnSync('mkfifo', [file]);
      if (kind === 'a link') fs.symlinkSync('/dev/zero', file);
      if (kind === 'a directory') fs.mkdirSync(file);
      const error = errorOf(() => openMachine(root));
      expect(['EINVAL', 'ELOOP', 'EISDIR']).toContain(error.code);
      expect(error.message).toContain(file);
    },
  );
});
