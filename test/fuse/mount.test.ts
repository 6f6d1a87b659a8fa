import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { NodeId } from '../../src/fuse/index.js';
import { cleanUpAfterEachTest, mountpoint, mountSample, noMounts, run, shell } from './support/mounts.js';

const title = noMounts ? `a real mount (skipped: ${noMounts})` : 'a real mount';
cleanUpAfterEachTest();

describe.skipIf(noMounts !== '')(title, () => {
  it('shows its files to ls, cat, stat and df', async () => {
    const { directory } = await mountSample({ files: { hello: 'Hello, world\n', other: 'x' } });
    expect((await run('ls', directory)).stdout).toBe('hello\nother\n');
    expect((await run('cat', `${directory}/hello`)).stdout).toBe('Hello, world\n');
    expect((await run('stat', '-c', '%s %a %F %Y', `${directory}/hello`)).stdout).toBe(
      '13 644 regular file 1700000000\n',
    );
    expect((await run('stat', '-f', '-c', '%b %f %a %S %c %d %l', directory)).stdout).toBe(
      '1000 400 300 4096 50 20 255\n',
    );
  });

  it('lists 1,000 names once each, with and without their attributes', async () => {
    const { directory } = await mountSample({ many: 1000 });
    const expected = Array.from({ length: 1000 }, (_, index) => `f${String(index).padStart(4, '0')}`);
    const plain = await run('ls', '-U', directory);
    expect(plain.stdout.trim().split('\n')).toEqual(expected);
    const long = await run('ls', '-l', directory);
    expect(long.stdout.trim().split('\n')).toHaveLength(1001);
    const found = await shell(`find ${directory} -type f -printf '%f\\n' | sort`);
    expect(found.stdout.trim().split('\n')).toEqual(expected);
  });

  it('takes writes, appends, truncation, new files and removal', async () => {
    const { directory } = await mountSample({ files: { a: 'abc' } });
    const result =
      await shell(`cd ${directory} && echo -n XY | dd of=a bs=1 seek=1 conv=notrunc status=none &&
      echo more >> a && cat a && : > a && stat -c %s a && echo new > b && cat b && chmod 600 b && stat -c %a b &&
      rm a && ls`);
    expect(result.stdout).toBe('aXYmore\n0\nnew\n600\nb\n');
    expect(result.status).toBe(0);
  });

  it('writes and reads back 64 KiB in many sizes', async () => {
    for (const directIo of [false, true]) {
      const { directory, session } = await mountSample({ files: { a: '' }, directIo });
      const result = await shell(`cd ${directory} && head -c 65536 /dev/urandom > ${directory}.in &&
        dd if=${directory}.in of=a bs=7777 status=none && cmp ${directory}.in a &&
        dd if=a bs=513 status=none | cmp - ${directory}.in; rc=$?; rm -f ${directory}.in; exit $rc`);
      expect(result).toMatchObject({ status: 0, stdout: '', stderr: '' });
      await session.unmount();
    }
  });

  it('gives the errors of its handlers, by name', async () => {
    const reports: Error[] = [];
    const { directory } = await mountSample(
      { files: { a: 'abc' } },
      { onReport: (error) => reports.push(error) },
    );
    expect((await run('cat', `${directory}/missing`)).stderr).toContain('No such file or directory');
    expect((await run('mkdir', `${directory}/d`)).stderr).toContain('Operation not permitted');
    expect((await run('truncate', '-s', '1M', `${directory}/a`)).stderr).toContain('No space left on device');
    expect((await run('cat', `${directory}/broken`)).stderr).toContain('Input/output error');
    expect(reports.map((error) => error.message)).toEqual(['serving LOOKUP failed: a bug on purpose']);
  });

  it('keeps extended attributes', async () => {
    const { directory } = await mountSample({ files: { a: 'abc' } });
    const script = `import os, errno
f = '${directory}/a'
os.setxattr(f, 'user.one', b'1' * 5000)
print(os.listxattr(f), len(os.getxattr(f, 'user.one')))
os.removexattr(f, 'user.one')
try: os.getxattr(f, 'user.one')
except OSError as error: print(errno.errorcode[error.errno])`;
    expect((await run('python3', '-c', script)).stdout).toBe("['user.one'] 5000\nENODATA\n");
  });

  it('is read-only when asked to be', async () => {
    const { directory } = await mountSample({ files: { a: 'abc' } }, { mount: { readOnly: true } });
    expect((await shell(`echo x > ${directory}/a`)).stderr).toContain('Read-only file system');
    expect((await run('cat', `${directory}/a`)).stdout).toBe('abc');
  });

  it('checks permissions by owner and mode', async () => {
    const { directory } = await mountSample({ files: { a: 'abc' } }, { mount: { allowOther: true } });
    await run('chmod', '755', directory);
    const script = `import os
os.setgid(12345); os.setuid(12345)
print(open('${directory}/a').read())
try: open('${directory}/a', 'w')
except PermissionError as error: print('refused')`;
    fs.chmodSync(path.dirname(directory), fs.statSync(path.dirname(directory)).mode | 0o5);
    expect((await run('python3', '-c', script)).stdout).toBe('abc\nrefused\n');
  });

  it('serves four readers at once', async () => {
    const content = 'line of text\n'.repeat(4000);
    const { directory, session } = await mountSample({ files: { a: content }, directIo: true });
    const reader = `for i in $(seq 25); do cat ${directory}/a | md5sum; done | sort | uniq -c | wc -l`;
    const results = await Promise.all([1, 2, 3, 4].map(() => shell(reader)));
    expect(results.map((result) => result.stdout.trim())).toEqual(['1', '1', '1', '1']);
    expect(await session.call({ do: 'counts' })).toMatchObject({ handles: 0 });
  });

  it('counts its lookups back to zero when the kernel drops its caches', async () => {
    const { directory, session } = await mountSample({ many: 200 });
    await run('ls', '-l', directory);
    const known = (await session.call({ do: 'counts' })) as { known: number };
    expect(known.known).toBe(201);
    for (let index = 0; index < 200; index += 1) {
      await session.invalidateEntry(1 as NodeId, `f${String(index).padStart(4, '0')}`);
    }
    await expect
      .poll(async () => ((await session.call({ do: 'counts' })) as { known: number }).known)
      .toBe(1);
  });
});

describe.skipIf(noMounts !== '')(`invalidation on ${title}`, () => {
  it('cached pages stay until they are invalidated, then show what changed', async () => {
    const { directory, session } = await mountSample({ files: { a: 'before' }, keepCache: true });
    expect((await run('cat', `${directory}/a`)).stdout).toBe('before');
    const { node } = (await session.call({ do: 'set', name: 'a', text: 'AFTER!' })) as { node: NodeId };
    expect((await run('cat', `${directory}/a`)).stdout).toBe('before');
    expect(await session.invalidateInode(node)).toBe(true);
    expect((await run('cat', `${directory}/a`)).stdout).toBe('AFTER!');
  });

  it('a mapping of a reader shows the new bytes after an invalidation', async () => {
    const { directory, session } = await mountSample({ files: { a: 'before' }, directIo: true });
    const script = `import mmap, sys
with open('${directory}/a', 'rb') as file:
    memory = mmap.mmap(file.fileno(), 6, mmap.MAP_SHARED, mmap.PROT_READ)
print(memory[:].decode(), flush=True)
open('${directory}.go', 'w').close()
import os, time
while os.path.exists('${directory}.go'): time.sleep(0.01)
print(memory[:].decode(), flush=True)`;
    const reader = run('python3', '-c', script);
    await expect.poll(() => fs.existsSync(`${directory}.go`)).toBe(true);
    const { node } = (await session.call({ do: 'set', name: 'a', text: 'AFTER!' })) as { node: NodeId };
    await session.invalidateInode(node);
    fs.unlinkSync(`${directory}.go`);
    expect((await reader).stdout).toBe('before\nAFTER!\n');
  });

  it('the file system can ask for it from within', async () => {
    const { directory, session } = await mountSample({ files: { a: 'before' }, keepCache: true });
    await run('cat', `${directory}/a`);
    await session.call({ do: 'set', name: 'a', text: 'AFTER!', invalidate: true });
    await expect.poll(async () => (await run('cat', `${directory}/a`)).stdout).toBe('AFTER!');
  });

  it('a name that was removed elsewhere goes when its entry is invalidated, one that came appears', async () => {
    const { directory, session } = await mountSample({ files: { a: 'abc' } });
    await run('cat', `${directory}/a`);
    await session.call({ do: 'remove', name: 'a' });
    expect((await run('cat', `${directory}/a`)).status).toBe(0);
    expect(await session.invalidateEntry(1 as NodeId, 'a')).toBe(true);
    expect((await run('cat', `${directory}/a`)).status).toBe(1);
    await session.call({ do: 'add', name: 'b', text: 'new' });
    expect((await run('cat', `${directory}/b`)).stdout).toBe('new');
  });

  it('of what the kernel does not know says so', async () => {
    const { session } = await mountSample({ files: { a: 'abc' } });
    expect(await session.invalidateInode(999 as NodeId)).toBe(false);
    expect(await session.invalidateEntry(1 as NodeId, 'nobody')).toBe(false);
  });
});

describe.skipIf(noMounts !== '')(`the wire log of ${title}`, () => {
  it('has every message in one line', async () => {
    const lines: string[] = [];
    const { directory, session } = await mountSample(
      { files: { a: 'abc' } },
      { onWire: (line) => lines.push(line) },
    );
    await run('cat', `${directory}/a`);
    await session.invalidateInode(2 as NodeId);
    await session.unmount();
    for (const start of ['-> #2 INIT', '<- #2 INIT {major=7', '<- notify INVAL_INODE {nodeId=2']) {
      expect(lines.some((line) => line.startsWith(start))).toBe(true);
    }
    expect(lines.some((line) => /^<- #\d+ READ 3 bytes$/.test(line))).toBe(true);
    expect(lines.every((line) => !line.includes('\n'))).toBe(true);
  });
});

describe.skipIf(noMounts !== '')(`starting ${title}`, () => {
  it('makes no mount when the file system cannot be made, and says why', async () => {
    const directory = mountpoint();
    await expect(mountSample({ refuse: true }, { mountpoint: directory })).rejects.toMatchObject({
      code: 'EBADMSG',
    });
    expect(fs.readFileSync('/proc/mounts', 'utf8')).not.toContain(directory);
  });

  it('says what is wrong with a mountpoint', async () => {
    await expect(mountSample({}, { mountpoint: '/nonexistent/x' })).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(mountSample({}, { mountpoint: '/etc/passwd' })).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});
