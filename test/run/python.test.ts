// What programs get that know nothing of udax: one copy of a file, at the speed of memory, and the bytes that the mount shows.
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, have, MIB, noMounts, output } from '../mounts/support.js';
import { hasPythonModule, patterned, python, RunPlace, withoutPython } from './support.js';

const SIZE = 9 * MIB + 4097;
const skipped = noMounts !== '' || python === '';
const missing = (program: string) => (have(program) ? '' : ` (skipped: there is no ${program})`);
const numpy = hasPythonModule('numpy') ? '' : ' (skipped: there is no numpy)';

describe.skipIf(skipped)(`programs under udax run${because}${withoutPython}`, () => {
  let place: RunPlace;
  let at: string;
  const bytes = patterned(SIZE);
  beforeEach(() => {
    place = new RunPlace();
    place.makeVolume('256MiB');
    fs.writeFileSync(path.join(place.directory, 'plain'), bytes);
    for (const [name, ...striping] of [['a'], ['striped', '-C', '2M', '-N', '4', '-B', '4']] as const)
      expect(
        place.udax('cp', ...striping, path.join(place.directory, 'plain'), `dax0.0:/${name}`).status,
      ).toBe(0);
    at = place.mount();
  });
  afterEach(() => place.close());

  /** Runs Python with `m(NAME, **options)`, which maps a file of the mount, and `plain`, the bytes it must show. */
  function py(script: string) {
    const head = `
import mmap, os, sys
at, directory = sys.argv[1:3]
plain = open(directory + '/plain', 'rb').read()
def m(name, mode='r+b', length=0, **options):
    with open(at + '/' + name, mode) as f: return mmap.mmap(f.fileno(), length, **options)
def backed(): return sum('/regions/0.mem' in line for line in open('/proc/self/maps'))
`;
    return place.output([python, '-c', head + script, at, place.directory]);
  }

  it('Python mmap: reading, offsets, copies, and the memory in /proc/self/maps', () => {
    const { stdout, explained } = py(`
for name in 'a', 'striped':
    whole = m(name, access=mmap.ACCESS_READ)
    part = m(name, length=12345, offset=4 << 20, access=mmap.ACCESS_READ)
    copy = m(name, access=mmap.ACCESS_COPY)
    assert whole[:] == plain and part[:] == plain[4 << 20:][:12345]
    copy[0:4] = b'mine'; copy[-1] = copy[-1] ^ 1
    assert copy[:4] == b'mine' and whole[:] == plain
    print(name, backed())
    del whole, part, copy
    print(backed())
`);
    expect(stdout).toBe('a 3\n0\nstriped 11\n0\n');
    expect(explained).toHaveLength(6);
    for (const line of explained)
      expect(line).toMatch(/^udax run: pid \d+: \/.*: the memory itself, \d+ pieces?, at 0x/);
  });

  it('Python mmap: a store is in the file for all, at once; flush is no error; the file keeps its size', () => {
    const { stdout } = py(`
import errno
for name in 'a', 'striped':
    w, r = m(name), m(name, access=mmap.ACCESS_READ)
    for place in 0, 4095, 4096, len(plain) - 1, 2 << 20:
        w[place] = 77
        with open(at + '/' + name, 'rb') as f:
            f.seek(place)
            assert r[place] == 77 == f.read(1)[0]
    w.flush()
    os.pwrite(os.open(at + '/' + name, os.O_RDWR), b'past', 4 << 20)
    assert r[4 << 20:][:4] == b'past' == w[4 << 20:][:4]
    try: w.resize(len(plain) + (4 << 20))
    except (OSError, SystemError, ValueError) as e: print(e)
`);
    // The file grows on the mount; the mapping does not (mremap(2) of the memory).
    expect(stdout.trim().split('\n')).toEqual([
      '[Errno 12] Cannot allocate memory',
      '[Errno 12] Cannot allocate memory',
    ]);
    const volume = place.volume();
    expect(volume.open('/striped').map()[SIZE - 1]).toBe(77);
  });

  it('a mapping does not grow past its file: ENOMEM, never the next bytes of the memory', () => {
    const { stdout } = py(`
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
def grow(old, new):
    p = libc.mmap(None, old, 3, 1, os.open(at + '/a', os.O_RDWR), 0)
    q = libc.mremap(p, old, new, 1)
    return 'ENOMEM' if q == 2**64 - 1 and ctypes.get_errno() == 12 else 'grown' if q == p else 'moved'
print(grow(1 << 20, 20 << 20), grow(4096, 8192), grow(8192, 4096))
p = libc.mmap(None, 4096, 3, 0x22, -1, 0)
print('ENOMEM' if libc.mremap(p, 4096, 1 << 20, 1) == 2**64 - 1 else 'anonymous memory grows')
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
p = libc.mmap(None, 4096, 3, 1, os.open(at + '/a', os.O_RDWR), 0)
print(libc.madvise(p, 4096, 9), os.strerror(ctypes.get_errno()))
assert open(at + '/a', 'rb').read() == plain
`);
    expect(stdout).toBe(
      'ENOMEM ENOMEM moved\nanonymous memory grows\n-1 Operation not supported\n'.replace('moved', 'grown'),
    );
  });

  it('children, their children and threads inherit it', () => {
    const { stdout, explained } = place.output([
      'sh',
      '-c',
      `${python} "$0" "$@"; exit $?`,
      '-c',
      `
import mmap, os, sys, threading, subprocess
at = sys.argv[1]
f = open(at + '/a', 'r+b')
m = mmap.mmap(f.fileno(), 0)
def work(i):
    for _ in range(50):
        with mmap.mmap(f.fileno(), 4096, offset=i * 4096, access=mmap.ACCESS_READ) as t: assert t[:] == m[i * 4096:][:4096]
threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
for t in threads: t.start()
for t in threads: t.join()
if os.fork() == 0:
    m[0] = 99; work(3); os._exit(0)
assert os.wait()[1] == 0 and m[0] == 99
subprocess.run([sys.executable, '-c', 'import mmap,sys; f=open(sys.argv[1]+"/a","rb"); print(mmap.mmap(f.fileno(),0,access=1)[0])', at], check=True)
`,
      at,
    ]);
    expect(stdout).toBe('99\n');
    expect(explained.filter((line) => line.includes('the memory itself'))).toHaveLength(1 + 8 * 50 + 50 + 1);
    expect(new Set(explained.map((line) => /pid (\d+)/.exec(line)![1])).size).toBe(3);
  });

  it('the program sees no other descriptors, and errno stays as it was', () => {
    const { stdout } = py(`
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
fds = [os.open(at + '/' + name, os.O_RDWR) for name in ('a', 'striped')]
before = sorted(os.listdir('/proc/self/fd'))
ctypes.set_errno(77)
maps = [libc.mmap(None, len(plain), 3, flags, fd, 0) for fd in fds for flags in (1, 2)]
assert ctypes.get_errno() == 77 and before == sorted(os.listdir('/proc/self/fd'))
os.closerange(3, 1000)
assert all(ctypes.string_at(p, len(plain)) == plain for p in maps) and backed() > 3
print('same')
`);
    expect(stdout).toBe('same\n');
  });

  it.skipIf(numpy !== '')(`numpy.memmap: r, r+ and c${numpy}`, () => {
    const { stdout, explained } = py(`
import numpy
for name in 'a', 'striped':
    r = numpy.memmap(at + '/' + name, mode='r', dtype='u1')
    c = numpy.memmap(at + '/' + name, mode='c', dtype='<u4', shape=(1000,), offset=4)
    w = numpy.memmap(at + '/' + name, mode='r+', dtype='u1')
    assert bytes(r) == plain and c.tobytes() == plain[4:4004]
    c[:] = 0
    assert bytes(r) == plain
    w[5] = 1; w.flush()
    assert r[5] == 1 and not r.flags.writeable
print('ok')
`);
    expect(stdout).toBe('ok\n');
    expect(explained.every((line) => line.includes('the memory itself'))).toBe(true);
  });

  it('a safetensors file: header and tensors by a reader that maps it', () => {
    const header = JSON.stringify({
      w: { dtype: 'F32', shape: [1024, 256], data_offsets: [0, 1 << 20] },
    }).padEnd(120);
    const tensor = new Float32Array(1024 * 256).map((_, i) => i / 3);
    const length = new BigUint64Array([BigInt(header.length)]);
    fs.writeFileSync(
      path.join(place.directory, 'model'),
      Buffer.concat([Buffer.from(length.buffer), Buffer.from(header), Buffer.from(tensor.buffer)]),
    );
    expect(place.udax('cp', path.join(place.directory, 'model'), 'dax0.0:/model.safetensors').status).toBe(0);
    const { stdout, explained } = py(`
import json, struct
v = memoryview(m('model.safetensors', 'rb', access=mmap.ACCESS_READ))
n, = struct.unpack('<Q', v[:8])
t = json.loads(bytes(v[8:8 + n]))['w']
data = v[8 + n:][slice(*t['data_offsets'])].cast('f')
print(len(data), data[3], data[-1] == struct.unpack('f', struct.pack('f', (1024 * 256 - 1) / 3))[0], backed())
`);
    expect(stdout).toBe('262144 1.0 True 1\n');
    expect(explained).toHaveLength(1);
  });

  it(`sqlite with mmap_size reads and writes its database${missing('sqlite3')}`, () => {
    const made = path.join(place.directory, 'made.db');
    output(
      `${python} -c "
import sqlite3
c = sqlite3.connect('${made}')
c.execute('create table t (k integer primary key, v text)')
c.executemany('insert into t values (?, ?)', ((i, 'x' * (i % 300)) for i in range(20000)))
c.commit()"`,
      60,
    );
    expect(place.udax('cp', made, 'dax0.0:/made.db').status).toBe(0);
    const { stdout, explained } = py(`
import sqlite3
c = sqlite3.connect(at + '/made.db', isolation_level=None)
c.execute('pragma journal_mode = memory'); print(c.execute('pragma mmap_size = 1000000000').fetchone()[0] > 0)
print(*c.execute('select count(*), sum(length(v)) from t').fetchone())
c.execute("update t set v = 'changed' where k = 7777")
print(c.execute('select v from t where k = 7777').fetchone()[0], c.execute('pragma integrity_check').fetchone()[0], backed() > 0)
`);
    expect(stdout).toBe('True\n20000 2980000\nchanged ok True\n');
    expect(explained.some((line) => line.includes('made.db') && line.includes('the memory itself'))).toBe(
      true,
    );
    expect(
      output(
        `${python} -c "import sqlite3; print(sqlite3.connect('file:${at}/made.db?mode=ro', uri=True).execute('select v from t where k = 7777').fetchone()[0])"`,
      ),
    ).toBe('changed\n');
  });

  it.skipIf(!have('rg'))(`ripgrep finds the same with --mmap${missing('rg')}`, () => {
    fs.writeFileSync(
      path.join(place.directory, 'text'),
      `${'hay\n'.repeat(200_000)}needle 1\n${'hay\n'.repeat(9)}needle 2`,
    );
    expect(place.udax('cp', path.join(place.directory, 'text'), 'dax0.0:/text').status).toBe(0);
    const { stdout, explained } = place.output(['rg', '--mmap', '-n', 'needle', path.join(at, 'text')]);
    expect(stdout).toBe('200001:needle 1\n200011:needle 2\n');
    expect(explained.filter((line) => line.includes('the memory itself'))).not.toEqual([]);
  });

  it.skipIf(!have('git'))(`git reads a bare repository: fsck, log, archive${missing('git')}`, () => {
    const repository = path.join(place.directory, 'r');
    output(
      `git init -q ${repository} && cd ${repository} && seq 200000 > big && echo hello > small && git add . && git -c user.name=u -c user.email=u@x commit -qm one && git gc -q && rm -rf .git/hooks .git/logs; find .git -empty -delete; mkdir -p .git/refs .git/objects`,
      60,
    );
    expect(place.udax('cp', '-r', path.join(repository, '.git'), 'dax0.0:/r.git').stderr).toBe('');
    const git = [
      'git',
      '-c',
      'safe.directory=*',
      '-c',
      'core.packedGitWindowSize=4096',
      `--git-dir=${at}/r.git`,
    ];
    expect(place.output([...git, 'show', 'HEAD:small']).stdout).toBe('hello\n');
    const { stdout, explained } = place.output(['sh', '-c', `"$@" show HEAD:big | sha256sum`, 'sh', ...git]);
    expect(stdout).toBe(output(`seq 200000 | sha256sum`));
    expect(
      explained.filter((line) => line.includes('the memory itself') && line.includes('.pack')),
    ).not.toEqual([]);
  });
});
