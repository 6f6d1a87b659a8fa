/**
 * A machine whose directory this user may only read (read-only media, another user's), one that a group shares, and two containers
 * over one volume: what docs/services.md says.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, have, noMounts, Place, sh } from '../mounts/support.js';
import { binary } from './support/udax.js';

const noUsers =
  process.getuid?.() !== 0 ? 'needs root' : have('setpriv') ? '' : 'setpriv(1) is not installed';
const why = (reason: string) => (reason === '' ? '' : ` (skipped: ${reason})`);

let directory: string;
let root: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'udax-shared-'));
  chmodSync(directory, 0o755);
  root = join(directory, 'state');
});
afterEach(() => {
  sh(`umount -l '${directory}' 2>/dev/null`);
  rmSync(directory, { recursive: true, force: true });
});

/** Runs udax as a user, with nothing but this group. */
function udaxAs(uid: number, gid: number, ...args: string[]) {
  const words = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    process.execPath,
    binary,
    '--root',
    root,
  ];
  const { status, stdout, stderr } = spawnSync('setpriv', [...words, ...args], {
    encoding: 'utf8',
    env: { ...process.env, HOME: '/nonexistent' },
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

/** A machine of root with one file on a volume. @param mode of its directory */
function makeMachine(mode: number): void {
  mkdirSync(root);
  chmodSync(root, mode);
  const file = join(directory, 'file');
  writeFileSync(file, 'hello\n');
  for (const words of [
    ['create-region', '-s', '64M'],
    ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
    ['mkfs', 'dax0.0'],
    ['cp', file, 'dax0.0:/a'],
  ])
    expect(udaxAs(0, 0, ...words).stderr).toBe('');
}

const READS = [['status'], ['list', '-DRi'], ['holders'], ['mounts']];
const READS_MEMORY = [
  ['ls', 'dax0.0:/'],
  ['df', 'dax0.0'],
  ['fsck', 'dax0.0'],
  ['getmap', 'dax0.0:/a'],
];
const CHANGES = [
  ['create-region', '-s', '2M'],
  ['disable-device', 'dax0.0'],
  ['destroy-region', '-f', '0'],
];

describe.skipIf(noUsers !== '')(`the machine of another user${why(noUsers)}`, () => {
  it('is listed by everybody who may read its directory, and changed by nobody but him (EACCES)', () => {
    makeMachine(0o755);
    for (const words of READS) expect([words, udaxAs(4711, 4711, ...words).status]).toEqual([words, 0]);
    for (const words of CHANGES) {
      const { status, stderr } = udaxAs(4711, 4711, ...words);
      expect([words, status, stderr]).toEqual([
        words,
        1,
        expect.stringContaining('nothing was changed (EACCES)'),
      ]);
    }
  });

  it('keeps its memory to him, until he lets others read the file', () => {
    makeMachine(0o755);
    const memory = join(root, 'regions/0.mem');
    for (const words of READS_MEMORY)
      expect(udaxAs(4711, 4711, ...words).stderr).toContain(`${memory} cannot be opened for reading`);
    chmodSync(memory, 0o644);
    for (const words of READS_MEMORY)
      expect([words, udaxAs(4711, 4711, ...words).status]).toEqual([words, 0]);
    expect(udaxAs(4711, 4711, 'cat', 'dax0.0:/a').stdout).toBe('hello\n');
    expect(udaxAs(4711, 4711, 'cp', join(directory, 'file'), 'dax0.0:/b').stderr).toContain('EROFS');
  });
});

// Incident: the record of a mount was its owner's alone, and status and mounts failed with EACCES for everybody else.
describe.skipIf((noUsers || noMounts) !== '')(`a mount of another user${why(noUsers || noMounts)}`, () => {
  it('in a directory that only he may enter is no reason to fail', () => {
    makeMachine(0o755);
    const closed = join(directory, 'closed');
    mkdirSync(join(closed, 'mnt'), { recursive: true });
    chmodSync(closed, 0o700);
    expect(udaxAs(0, 0, 'mount', 'dax0.0', join(closed, 'mnt')).stderr).toBe('');
    try {
      const { stdout, stderr } = udaxAs(4711, 4711, 'mounts');
      expect(stderr).toBe('');
      expect(stdout).toMatch(/closed\/mnt +dax0\.0 +unseen/);
    } finally {
      udaxAs(0, 0, 'umount', '-f', join(closed, 'mnt'));
    }
  });

  it('is listed, with its pid', () => {
    makeMachine(0o755);
    const at = join(directory, 'mnt');
    mkdirSync(at);
    expect(udaxAs(0, 0, 'mount', 'dax0.0', at).stderr).toBe('');
    try {
      expect(udaxAs(4711, 4711, 'status').stderr).toBe('');
      const listed = JSON.parse(udaxAs(4711, 4711, '--json', 'mounts').stdout) as { mountpoint: string }[];
      expect(listed.find(({ mountpoint }) => mountpoint === at)).toMatchObject({
        what: 'dax0.0',
        pid: expect.any(Number),
      });
    } finally {
      udaxAs(0, 0, 'umount', '-f', at);
    }
  });
});

const noReadOnly = noMounts || noUsers;
describe.skipIf(noReadOnly !== '')(`a machine on read-only media${why(noReadOnly)}`, () => {
  beforeEach(() => {
    makeMachine(0o755);
    sh(`mount --bind '${directory}' '${directory}' && mount -o remount,bind,ro '${directory}'`);
  });

  it('is listed and read, and every change is EROFS', () => {
    for (const words of [...READS, ...READS_MEMORY])
      expect([words, udaxAs(0, 0, ...words).status]).toEqual([words, 0]);
    expect(udaxAs(0, 0, 'cat', 'dax0.0:/a').stdout).toBe('hello\n');
    for (const words of CHANGES) {
      const { status, stderr } = udaxAs(0, 0, ...words);
      expect([words, status, stderr]).toEqual([words, 1, expect.stringContaining('(EROFS)')]);
    }
  });

  it('is mounted from the foreground, without a record, and umount takes it down', () => {
    const at = mkdtempSync(join(tmpdir(), 'udax-shared-mnt-'));
    try {
      const script = `'${process.execPath}' '${binary}' --root '${root}' mount -f --read-only dax0.0 '${at}' 2>&1 &
        until mountpoint -q '${at}'; do sleep 0.05; done; cat '${at}/a'
        '${process.execPath}' '${binary}' --root '${root}' umount '${at}'; wait`;
      const { stdout } = sh(script, 20);
      expect(stdout).toContain('hello\n');
      expect(stdout).toContain('has no record in the state directory');
      expect(stdout).toContain('is unmounted');
    } finally {
      sh(`umount -l '${at}' 2>/dev/null`);
      rmSync(at, { recursive: true, force: true });
    }
  });
});

describe.skipIf(noUsers !== '')(`a machine that a group shares${why(noUsers)}`, () => {
  beforeEach(() => {
    mkdirSync(root);
    chownSync(root, 4711, 4800);
    chmodSync(root, 0o2770);
    writeFileSync(join(directory, 'file'), 'hello\n');
    for (const words of [
      ['create-region', '-s', '64M'],
      ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
      ['mkfs', 'dax0.0'],
    ])
      expect(udaxAs(4711, 4800, ...words).stderr).toBe('');
  });

  it('is used and changed by all of it', () => {
    expect(udaxAs(4712, 4800, 'cp', join(directory, 'file'), 'dax0.0:/a').stderr).toBe('');
    expect(udaxAs(4711, 4800, 'cat', 'dax0.0:/a').stdout).toBe('hello\n');
    expect(udaxAs(4713, 4800, 'create-region', '-s', '2M').status).toBe(0);
    expect(udaxAs(4711, 4800, 'destroy-region', '1').stderr).toBe('');
    const groups = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => {
      const { gid, mode } = statSync(join(root, name));
      return [name, gid, (mode & 0o007) === 0];
    });
    expect(
      groups.filter(([name, gid, isClosed]) => gid !== 4800 || (!isClosed && name !== 'system_uuid')),
    ).toEqual([]);
  });

  it('is nothing to others', () => {
    for (const words of [...READS, ...CHANGES]) {
      const { status, stderr } = udaxAs(4712, 4712, ...words);
      if (words[0] !== 'mounts')
        expect([words, status, stderr]).toEqual([words, 1, expect.stringContaining('EACCES')]);
    }
  });
});

const noPython = noMounts || (have('python3') ? '' : 'there is no python3');
describe.skipIf(noPython !== '')(`two containers over one volume${noPython === '' ? '' : because}`, () => {
  it('one mounts; the other, without /dev/fuse and with its own processes, reads and is told of what is new', () => {
    const place = new Place();
    try {
      place.makeVolume('64MiB');
      const at = place.mount();
      sh(`echo one > '${at}/one'`);
      const program = `
import sys
sys.path.insert(0, ${JSON.stringify(join(import.meta.dirname, '../../clients/python/src'))})
import udax
volume = udax.open_volume(${JSON.stringify(place.root)})
print(bytes(volume.open('/one').buffer()).decode().strip(), flush=True)
sys.stdin.readline()
print(bytes(volume.open('/two').buffer()).decode().strip())
import stat, os; print(stat.S_ISCHR(os.stat('/dev/fuse').st_mode))
`;
      const file = join(place.directory, 'reader.py');
      writeFileSync(file, program);
      // Its own mounts and processes, and no /dev/fuse, as a container has them.
      const script = `mount -t proc proc /proc; mount --bind '${place.directory}/none' /dev/fuse; exec python3 '${file}'`;
      writeFileSync(join(place.directory, 'none'), '');
      const run = sh(
        `(sleep 1.5; echo two > '${at}/two'; sleep 1; echo) | unshare -m -p -f sh -c "${script}"; ls -l /dev/fuse | cut -c1`,
        25,
      );
      expect(run.stdout).toBe('one\ntwo\nFalse\nc\n');
    } finally {
      place.close();
    }
  });
});
