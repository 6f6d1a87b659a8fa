// Whom the preload library believes, and what it may do. What would be wrong: a user who names another's file as the memory of his
// own, or a program that gets more through the memory than the file gives it.
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { NOBODY, noPlainUser, PlainUser } from '../mounts/plain-user-support.js';
import { because, binary, noMounts, sh } from '../mounts/support.js';
import { patterned, python, RunPlace, withoutPython } from './support.js';

const skipped = noMounts !== '' || python === '';
const noUser = noPlainUser();
const READ = `
import mmap, sys
f = open(sys.argv[1], "rb")
print(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)[:5])
`;

describe.skipIf(skipped)(`who gets the memory under udax run${because}${withoutPython}`, () => {
  const places: RunPlace[] = [];
  afterEach(() => {
    for (const place of places.splice(0)) place.close();
  });

  function mounted(mode: number, uid = 0): { place: RunPlace; at: string } {
    const place = new RunPlace();
    places.push(place);
    place.makeVolume('64MiB');
    fs.chmodSync(place.directory, 0o755);
    const volume = place.volume();
    const bytes = patterned(5 * 4096);
    bytes.set(new TextEncoder().encode('hello'));
    volume.create('/a', { size: bytes.length, mode, uid, gid: uid }).write(bytes, 0);
    volume.close();
    return { place, at: place.mount('dax0.0', '--allow-other') };
  }

  const asNobody = (script: string, file: string) =>
    sh(
      `setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups ${process.execPath} ${binary} run --explain -- ${python} -c '${script}' ${file}`,
      60,
    );

  it('a user who may not open the memory gets the mapping of the mount, and is told', () => {
    const { at } = mounted(0o644);
    const { stdout, stderr } = asNobody(READ, `${at}/a`);
    expect(stdout).toBe("b'hello'\n");
    expect(stderr).toMatch(
      /: the old way: (this user may not open the memory|the path of the memory leads nowhere here)/,
    );
  });

  it('who may read the memory and not write it maps for reading; a descriptor for writing goes the old way', () => {
    const { place, at } = mounted(0o666, NOBODY);
    for (const name of ['', 'root', 'root/regions']) fs.chmodSync(path.join(place.directory, name), 0o755);
    fs.chmodSync(path.join(place.root, 'regions/0.mem'), 0o644);
    const script = `
import mmap, sys
r, w = open(sys.argv[1], "rb"), open(sys.argv[1], "r+b")
m = mmap.mmap(w.fileno(), 0)
m[0] = 72; m.flush()
print(mmap.mmap(r.fileno(), 0, access=1)[:5])
`;
    const { stdout, stderr } = asNobody(script, `${at}/a`);
    expect(stdout).toBe("b'Hello'\n");
    expect(stderr).toMatch(/shared rw: the old way: this user may not open the memory/);
    expect(stderr).toMatch(/shared r-: the memory itself/);
  });

  it('a file of mode 0600 stays closed to others who may read the memory', () => {
    const { place, at } = mounted(0o600);
    for (const name of ['', 'root', 'root/regions']) fs.chmodSync(path.join(place.directory, name), 0o755);
    fs.chmodSync(path.join(place.root, 'regions/0.mem'), 0o644);
    expect(asNobody(READ, `${at}/a`).stderr).toContain('Permission denied');
  });

  it('what was opened for reading cannot be made writable: mprotect is EACCES', () => {
    const { place, at } = mounted(0o644);
    const script = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
p = libc.mmap(None, ctypes.c_size_t(4096), 1, 1, os.open(sys.argv[1], os.O_RDONLY), ctypes.c_long(0))
print(libc.mprotect(p, 4096, 3), errno.errorcode[ctypes.get_errno()])
`;
    const { stdout, explained } = place.output([python, '-c', script, `${at}/a`]);
    expect(stdout).toBe('-1 EACCES\n');
    expect(explained[0]).toContain('the memory itself');
  });

  it('a path that leads to another file here is not the memory', () => {
    const { place, at } = mounted(0o644);
    const other = path.join(place.directory, 'other');
    fs.writeFileSync(other, new Uint8Array(64 << 20));
    const memory = path.join(place.root, 'regions/0.mem');
    const inside = `mount --bind ${other} ${memory} && exec ${process.execPath} ${binary} run --explain -- ${python} -c '${READ}' ${at}/a`;
    const { stdout, stderr } = sh(
      `unshare -m --propagation private sh -c "${inside.replaceAll('"', '\\"')}"`,
      60,
    );
    expect(stdout).toBe("b'hello'\n");
    expect(stderr).toContain('the old way: the path of the memory leads to another file here');
  });
});

describe.skipIf(noUser !== '' || python === '')(
  `a mount that another user serves${noUser === '' ? '' : ` (skipped: ${noUser})`}${withoutPython}`,
  () => {
    it('is not believed: root and others map it the old way; the user himself gets his memory', async () => {
      const user = await PlainUser.enter();
      try {
        user.output(
          'mkdir m && udax create-region -s 64M --sparse && udax reconfigure-device -m famfs dax0.0 && udax mkfs dax0.0 && ' +
            'echo hello > h && udax cp h dax0.0:/h',
        );
        user.allowOther();
        user.output('udax mount --allow-other dax0.0 m');
        const words = `run --explain=$HOME/said -- ${python} -c '${READ}' m/h`;
        expect(user.output(`udax ${words}`)).toBe("b'hello'\n");
        const said = path.join(user.home, 'said');
        expect(fs.readFileSync(said, 'utf8')).toContain('the memory itself');
        fs.rmSync(said);
        user.asRoot(
          `cd ${user.home} && HOME=${user.home} ${process.execPath} ${binary} ${words.replace('$HOME', user.home)}`,
        );
        expect(fs.readFileSync(said, 'utf8')).toContain('the old way: the mount belongs to another user');
      } finally {
        user.close();
      }
    });
  },
);
