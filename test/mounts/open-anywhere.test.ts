// Which processes have a file open is asked of /proc, which says the inode and a mount. Pipes, sockets, epoll and nameless memory have
// mounts that are in no table, and inode numbers as small as those of files: a file with such a number is not open because of them.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { memfdCreate } from '../../src/libc/index.js';
import { isOpenAnywhere } from '../../src/mounts/famfs/processes.js';

const inodeOf = (fd: number | string) =>
  Number(/^ino:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]);

/** No file system has this. */
const device = '0:999999';

describe('whether a file is open anywhere', () => {
  it('is not decided by epoll, sockets, pipes and memory that have its inode number', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const memory = memfdCreate('test');
    const nameless = fs
      .readdirSync('/proc/self/fd')
      .filter((fd) => /^(pipe|socket|anon_inode):|^\/memfd/.test(linkOf(fd)));
    const kinds = new Set(nameless.map((fd) => /^\/?(\w+):/.exec(linkOf(fd))![1]));
    expect([...kinds]).toEqual(expect.arrayContaining(['anon_inode', 'socket', 'memfd']));
    for (const fd of nameless)
      expect([linkOf(fd), isOpenAnywhere({ device, inode: inodeOf(fd) }, process.pid)]).toEqual([
        linkOf(fd),
        false,
      ]);
    fs.closeSync(memory);
    server.close();
  });

  it('is told by inode and file system, and is never so of what is not mounted', () => {
    const file = path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), `udax-open-${process.pid}`);
    const fd = fs.openSync(file, 'w');
    try {
      const { ino: inode, dev } = fs.statSync(file);
      // The digits of st_dev of Linux: 12 bits of the major number above 8 of the minor one.
      const own = `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
      const asked = [own, device, ''].map((where) => isOpenAnywhere({ device: where, inode }, 0));
      expect(asked).toEqual([true, false, false]);
    } finally {
      fs.closeSync(fd);
      fs.rmSync(file);
    }
  });

  it.skipIf(process.getuid?.() !== 0 || spawnSync('python3', ['-V']).status !== 0)(
    'sees the descriptor of a process whose root is another directory (needs root and python3)',
    () => {
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-open-'));
      const file = path.join(directory, 'file');
      fs.writeFileSync(file, '');
      fs.mkdirSync(path.join(directory, 'root'));
      const { ino, dev } = fs.statSync(file);
      const program = `
import os, sys
fd = os.open(${JSON.stringify(file)}, os.O_RDONLY)
os.chroot(${JSON.stringify(path.join(directory, 'root'))})
sys.stdout.write('ready'); sys.stdout.flush(); sys.stdin.read()`;
      const inside = `
const { isOpenAnywhere } = await import(${JSON.stringify(path.resolve('dist/mounts/famfs/processes.js'))});
const { spawn } = await import('node:child_process');
const held = spawn('python3', ['-c', ${JSON.stringify(program)}], { stdio: ['pipe', 'pipe', 'inherit'] });
await new Promise((resolve) => held.stdout.once('data', resolve));
const own = '${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}';
console.log(isOpenAnywhere({ device: own, inode: ${ino} }, held.pid), isOpenAnywhere({ device: '0:999999', inode: ${ino} }, held.pid));
held.stdin.end();`;
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', inside], {
        encoding: 'utf8',
      });
      expect([stdout.trim(), stderr]).toEqual(['true false', '']);
      fs.rmSync(directory, { recursive: true });
    },
  );
});

function linkOf(fd: string): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
