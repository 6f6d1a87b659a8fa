// Claims S1 to S6 of docs/security.md: the state directory and the memory against other users of the host.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { mkfs, openMachine, openVolume } from '../../src/index.js';

const checkout = path.resolve(import.meta.dirname, '../..');
const NOBODY = 65534;
const isRoot = process.geteuid?.() === 0;
const asNobody = isRoot ? '' : ' (skipped: becoming nobody needs root)';
/**
 * Limit in milliseconds. A busy machine may keep a process from running for long; an unbounded wait would hit the test's own
 * limit.
 */
const NO_LONG_WAIT_MS = 5000;

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true, force: true });
});

function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-security-'));
  directories.push(directory);
  fs.chmodSync(directory, 0o755);
  return directory;
}

function allBelow(directory: string): string[] {
  return [
    directory,
    ...fs
      .readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .map((name) => path.join(directory, name)),
  ];
}

/** Runs a program as user nobody. */
function nobody(...words: string[]) {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: '/nonexistent',
    UDAX_SYSTEM_UUID: '11111111-2222-4333-8444-555555555555',
  };
  const { status, stdout, stderr } = spawnSync(words[0]!, words.slice(1), {
    uid: NOBODY,
    gid: NOBODY,
    encoding: 'utf8',
    cwd: '/',
    env,
  });
  return { status, stdout, stderr };
}
const udaxAsNobody = (root: string, ...words: string[]) =>
  nobody(process.execPath, path.join(checkout, 'bin/udax.js'), '--root', root, ...words);

/** A machine with a volume of two files. */
function madeRoot(mode = 0o700): string {
  const root = path.join(temporaryDirectory(), 'state');
  fs.mkdirSync(root);
  fs.chmodSync(root, mode);
  const volume = openVolume(root, { size: '32MiB', lockWaitMs: 30_000 });
  volume.create('/secret', { size: 6 }).write(new TextEncoder().encode('secret'), 0);
  volume.close();
  return root;
}

describe('a state directory', () => {
  it('S1: all that is made in it is closed to others, whatever the umask', () => {
    const root = path.join(temporaryDirectory(), 'a', 'b');
    const before = process.umask(0);
    try {
      const volume = openVolume(root, { size: '32MiB' });
      const found = allBelow(root).map((file) => [file, fs.statSync(file).mode & 0o077] as const);
      volume.close();
      expect(found.length).toBeGreaterThan(5);
      // A user who may read the directory may read this host's uuid. It is in every superblock and no secret.
      const told = found.filter(([, open]) => open !== 0);
      expect(told).toEqual([[path.join(root, 'system_uuid'), 0o044]]);
    } finally {
      process.umask(before);
    }
  });

  it.skipIf(!isRoot)(
    `S2: who may enter it sees the devices, and no byte of them, and changes nothing${asNobody}`,
    () => {
      const root = madeRoot(0o755);
      const before = allBelow(root).map((file) => [file, fs.statSync(file).mtimeMs]);
      const listed = udaxAsNobody(root, 'list', '--json');
      expect(listed.stderr).toBe('');
      expect(listed.stdout).toContain('dax0.0');
      for (const words of [
        ['cat', 'dax0.0:/secret'],
        ['create-region', '-s', '2M'],
        ['disable-device', 'dax0.0'],
        ['mkfs', '-f', 'dax0.0'],
      ]) {
        const { status, stdout, stderr } = udaxAsNobody(root, ...words);
        expect([words, status, stdout]).toEqual([words, 1, '']);
        expect(stderr).toMatch(/\(EACCES\)/);
      }
      expect(nobody('cat', path.join(root, 'regions', '0.mem')).status).not.toBe(0);
      expect(nobody('flock', '-ns', path.join(root, 'machine.lock'), 'true').status).not.toBe(0);
      expect(allBelow(root).map((file) => [file, fs.statSync(file).mtimeMs])).toEqual(before);
    },
  );

  const inTheWay: Record<string, (file: string, victim: string) => void> = {
    'a link to a file': (file, victim) => fs.symlinkSync(victim, file),
    'a link to nowhere': (file) => fs.symlinkSync(`${file}-elsewhere`, file),
    'a fifo': (file) => void spawnSync('mkfifo', [file]),
    'a directory': (file) => fs.mkdirSync(file),
  };
  const names = [
    'machine.json.new',
    'machine.json.spare',
    'machine.lock',
    'regions/1.mem',
    'holders/1',
    'system_uuid',
  ];
  for (const [kind, put] of Object.entries(inTheWay)) {
    it.each(names)(`S3: ${kind} in the place of %s is not followed, waited for or overwritten`, (name) => {
      const root = madeRoot();
      const victim = path.join(path.dirname(root), 'victim');
      fs.writeFileSync(victim, 'precious');
      const file = path.join(root, name);
      fs.rmSync(file, { force: true });
      put(file, victim);
      const started = performance.now();
      let refusal: unknown;
      try {
        const machine = openMachine(root, { lockWaitMs: 30_000 });
        try {
          machine.createRegion({ size: '2MiB' });
          machine.device('dax0.0').hold('test').release();
        } finally {
          machine.close();
        }
      } catch (error) {
        refusal = error;
      }
      expect(performance.now() - started).toBeLessThan(NO_LONG_WAIT_MS);
      if (refusal)
        expect(refusal).toMatchObject({ name: 'DaxError', message: expect.stringContaining(name) });
      expect(fs.readFileSync(victim, 'utf8')).toBe('precious');
      expect(fs.existsSync(`${file}-elsewhere`)).toBe(false);
      fs.rmSync(file, { recursive: true, force: true });
      const machine = openMachine(root, { create: true, lockWaitMs: 30_000 });
      expect(machine.devices().length).toBeGreaterThanOrEqual(1);
      machine.close();
    });
  }

  it('S4: what others left in it stays, whatever it is called', () => {
    const root = madeRoot();
    const files = ['regions/7.mem', 'regions/notes.txt', 'holders/README', 'mine'].map((name) =>
      path.join(root, name),
    );
    for (const file of files) fs.writeFileSync(file, 'mine');
    const machine = openMachine(root, { create: true, lockWaitMs: 30_000 });
    machine.createRegion({ size: '2MiB' });
    machine.destroyRegion(1);
    machine.close();
    expect(files.map((file) => fs.readFileSync(file, 'utf8'))).toEqual(files.map(() => 'mine'));
  });

  it('S5: programs that are started have no descriptor of the memory', () => {
    const root = madeRoot();
    const volume = openVolume(root);
    const file = volume.open('/secret');
    file.map();
    const { stdout } = spawnSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' });
    volume.close();
    expect(stdout).toContain('/proc/');
    expect(stdout).not.toContain(root);
  });
});

describe('memory', () => {
  it.skipIf(!isRoot)(
    `S6: who may read it can lock writers out, who are told who he is, and not readers${asNobody}`,
    async () => {
      const memory = path.join(temporaryDirectory(), 'memory');
      fs.writeFileSync(memory, '');
      fs.truncateSync(memory, 32 * 2 ** 20);
      fs.chmodSync(memory, 0o644);
      const machine = openMachine(path.join(temporaryDirectory(), 'state'), { create: true });
      machine.createRegion({ size: '32MiB', backing: memory });
      machine.reconfigure('dax0.0', 'famfs');
      mkfs(machine.device('dax0.0'));
      machine.close();
      const script = `import fcntl,struct,sys,time
f=open(sys.argv[1],'rb')
fcntl.fcntl(f, 37, struct.pack('hhqqi4x', 0, 0, 2097152, 48, 0))
print('locked', flush=True)
sys.stdin.read()`;
      const child = spawn('python3', ['-c', script, memory], {
        uid: NOBODY,
        gid: NOBODY,
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      try {
        await new Promise((resolve, reject) => {
          child.stdout.once('data', resolve);
          child.once('exit', reject);
        });
        const volume = openVolume(machine.root);
        const started = performance.now();
        expect(() => volume.mkdir('/d')).toThrow(expect.objectContaining({ code: 'EBUSY' }));
        expect(performance.now() - started).toBeLessThan(NO_LONG_WAIT_MS);
        expect(volume.readdir('/')).toEqual([]);
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill();
        await ended;
        volume.mkdir('/d');
        expect(volume.readdir('/')).toEqual(['d']);
        volume.close();
      } finally {
        child.kill('SIGKILL');
      }
    },
  );
});
