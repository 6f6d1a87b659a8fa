// What went wrong: memory with pages of 2 MiB is mapped and unmapped in whole such pages, so munmap() of a file's own length was
// EINVAL. Right is: a program's lengths are those of its files.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { because, MIB, noMounts } from '../mounts/support.js';
import { patterned, python, RunPlace, withoutPython } from './support.js';

const NR_HUGEPAGES = '/proc/sys/vm/nr_hugepages';
const WANTED = 64;

function hugePagesFree(): number {
  if (noMounts !== '') return 0;
  try {
    change(WANTED);
  } catch {
    return 0;
  }
  afterAll(() => change(-WANTED));
  const meminfo = fs.readFileSync('/proc/meminfo', 'latin1');
  return /Hugepagesize:\s+2048 kB/.test(meminfo) ? Number(/HugePages_Free:\s+(\d+)/.exec(meminfo)?.[1]) : 0;
}

/** By a difference, because another process may change it too. */
function change(by: number): void {
  fs.writeFileSync(NR_HUGEPAGES, String(Math.max(0, Number(fs.readFileSync(NR_HUGEPAGES, 'latin1')) + by)));
}

const free = hugePagesFree();
const tooFew = free < WANTED ? ` (skipped: only ${free} huge pages)` : '';

describe.skipIf(tooFew !== '' || python === '')(
  `hugetlbfs under udax run${because}${tooFew}${withoutPython}`,
  () => {
    it('whole files of any length: read, stored to, protected, flushed, unmapped; private ones go the old way', () => {
      const place = new RunPlace();
      const huge = path.join(place.directory, 'huge');
      const mounts: string[] = [];
      fs.mkdirSync(huge);
      execFileSync('mount', ['-t', 'hugetlbfs', '-o', 'pagesize=2M', 'udax-test', huge]);
      try {
        fs.writeFileSync(path.join(huge, 'memory'), '');
        fs.truncateSync(path.join(huge, 'memory'), 128 * MIB);
        place.makeVolume('64MiB');
        place.udax('destroy-region', '0', '-f');
        for (const words of [
          ['create-region', '-s', '128M', '-b', path.join(huge, 'memory')],
          ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
          ['mkfs', 'dax0.0'],
        ])
          expect([words[0], place.udax(...words).stderr]).toEqual([words[0], '']);
        fs.writeFileSync(path.join(place.directory, 'plain'), patterned(5 * MIB + 77));
        expect(place.udax('cp', path.join(place.directory, 'plain'), 'dax0.0:/a').stderr).toBe('');
        const at = place.mount();
        mounts.push(at);
        const script = `
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
for f in libc.munmap, libc.mprotect, libc.msync: f.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int][:len(f.argtypes or [1, 1, 1])]
plain = open(sys.argv[2], 'rb').read()
fd = os.open(sys.argv[1] + '/a', os.O_RDWR)
p = libc.mmap(None, len(plain), 3, 1, fd, 0)
assert ctypes.string_at(p, len(plain)) == plain
ctypes.memmove(p + 4097, b'stored', 6)
assert os.pread(fd, 6, 4097) == b'stored'
print(libc.msync(p, len(plain), 4), libc.mprotect(p, len(plain), 1), libc.munmap(p, len(plain), 0))
print(any('/memory' in line for line in open('/proc/self/maps')))
os.pwrite(fd, plain[4097:4103], 4097)
with open(sys.argv[1] + '/a', 'rb') as f:
    assert mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)[:] == plain == mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)[:]
    assert mmap.mmap(f.fileno(), 4096, offset=8192, access=mmap.ACCESS_READ)[:] == plain[8192:12288]
`;
        const { stdout, explained } = place.output([
          python,
          '-c',
          script,
          at,
          path.join(place.directory, 'plain'),
        ]);
        expect(stdout).toBe('0 0 0\nFalse\n');
        expect(explained.map((line) => /: (the [\w ]+)/.exec(line)![1])).toEqual([
          'the memory itself',
          'the old way',
          'the memory itself',
          'the old way',
        ]);
      } finally {
        for (const at of mounts) place.udax('umount', '-f', at);
        execFileSync('umount', [huge]);
        place.close();
      }
    });
  },
);
