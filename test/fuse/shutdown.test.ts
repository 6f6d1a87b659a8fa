import { execFileSync, spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { tryUnmount } from '../../src/fuse/unmount.js';
import { DEAD_MOUNT } from '../support/dead-mount.js';

import {
  builtFace,
  cleanUpAfterEachTest,
  isMounted,
  mountpoint,
  mountSample,
  noMounts,
  run,
  shell,
  startDaemon,
} from './support/mounts.js';

const title = noMounts ? `the end of a mount (skipped: ${noMounts})` : 'the end of a mount';
cleanUpAfterEachTest();
const files = { a: 'abc' };

/** A process that holds a file of the mount open, and reads it again when told to. */
async function holder(file: string) {
  const script = `import sys
file = open(${JSON.stringify(file)}, 'rb', buffering=0)
print('open', flush=True)
sys.stdin.readline()
try: print(file.read(10), flush=True)
except OSError as error: print(error.strerror, flush=True)`;
  const child = spawn('timeout', ['-k', '1', '30', 'python3', '-c', script], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const ended = new Promise<string>((resolve) =>
    child.on('close', () => resolve(output.replace('open\n', ''))),
  );
  await expect.poll(() => output).toContain('open\n');
  return { readAgain: () => child.stdin.write('\n'), ended };
}

describe.skipIf(noMounts !== '')(title, () => {
  // A session whose INIT was refused waited 20 s and reported that the kernel had sent none.
  it('comes at once when the file system refuses INIT, with the reason', async () => {
    const directory = mountpoint();
    const started = mountSample({ files, refuseInit: true }, { mountpoint: directory });
    await expect(started).rejects.toMatchObject({ code: 'EPROTO' });
    expect(isMounted(directory)).toBe(false);
  });

  // Taking a session down opened /dev/null, and the failure of that ended the process.
  it('needs no descriptor: the process has none left', async () => {
    const directory = mountpoint();
    const sample = new URL('./support/memory-file-system.mjs', import.meta.url).href;
    const script = `import fs from 'node:fs';
      import { startSession } from ${JSON.stringify(new URL('../../dist/fuse/index.js', import.meta.url).href)};
      const session = await startSession({ mountpoint: ${JSON.stringify(directory)}, fileSystem: { moduleUrl: ${JSON.stringify(sample)}, data: { files: {} } } });
      const taken = [];
      try { for (;;) taken.push(fs.openSync('/', 'r')); } catch {}
      console.log('none left');
      const { reason } = await session.closed;
      for (const fd of taken) fs.closeSync(fd);
      console.log(reason);`;
    const child = spawn(
      'sh',
      ['-c', 'ulimit -n 200; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
    await expect.poll(() => output).toContain('none left');
    await run('umount', directory);
    expect(await ended).toBe(0);
    expect(output).toBe('none left\nunmounted\n');
  });

  it('comes by unmount(): the mount is gone, the file system was told, the session closed', async () => {
    const messages: unknown[] = [];
    const { session, directory } = await mountSample(
      { files },
      { onMessage: (message) => messages.push(message) },
    );
    await session.unmount();
    expect(await session.closed).toEqual({ reason: 'unmounted' });
    expect(isMounted(directory)).toBe(false);
    expect(messages).toEqual(['destroyed']);
    await expect(session.call({ do: 'counts' })).rejects.toMatchObject({ code: 'ENOTCONN' });
    expect(await session.invalidateInode(2 as never)).toBe(false);
    await session.unmount();
  });

  it('comes by umount(8) from outside', async () => {
    const { session, directory } = await mountSample({ files });
    await run('umount', directory);
    expect(await session.closed).toEqual({ reason: 'unmounted' });
  });

  it('can be refused with EBUSY while a file is open', async () => {
    const { session, directory } = await mountSample({ files });
    const user = await holder(`${directory}/a`);
    await expect(session.unmount({ whenBusy: 'fail' })).rejects.toMatchObject({ code: 'EBUSY' });
    user.readAgain();
    expect(await user.ended).toBe("b'abc'\n");
    await session.unmount({ whenBusy: 'fail' });
  });

  // A program that only looked at a path of the mount, as df does, made a mount that nobody uses EBUSY for that moment.
  it('is not refused because a program used it just then', async () => {
    const { session, directory } = await mountSample({ files });
    const user = await holder(`${directory}/a`);
    expect(await tryUnmount(directory, {}, 20_000)).toBe('busy');
    const unmounted = tryUnmount(directory, { whenBusy: 'fail' }, 20_000);
    user.readAgain();
    expect(await unmounted).toBe('done');
    expect(await user.ended).toBe("b'abc'\n");
    expect(await session.closed).toEqual({ reason: 'unmounted' });
  });

  it('comes at once while a file is open: who holds it gets an error, not a hang', async () => {
    const { session, directory } = await mountSample({ files, directIo: true });
    const user = await holder(`${directory}/a`);
    await session.unmount();
    expect(isMounted(directory)).toBe(false);
    user.readAgain();
    expect(await user.ended).toMatch(DEAD_MOUNT);
  });

  it('comes while a request is being served, and while a handler never returns', async () => {
    const { session, directory } = await mountSample({ files });
    const slow = run('cat', `${directory}/slow`);
    const endless = run('cat', `${directory}/endless`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await session.unmount();
    expect(isMounted(directory)).toBe(false);
    expect((await slow).status).toBe(1);
    expect((await endless).stderr).toMatch(new RegExp(`${DEAD_MOUNT.source}|No such file`));
  });

  it('a reader that is interrupted leaves the mount working', async () => {
    const { directory } = await mountSample({ files });
    await shell(`timeout -s INT 0.2 cat ${directory}/slow; timeout -s KILL 0.2 cat ${directory}/slow; true`);
    expect((await run('cat', `${directory}/a`)).stdout).toBe('abc');
  });

  it('takes two mounts on one directory down one by one', async () => {
    const { session: lower, directory } = await mountSample({ files: { low: '1' } });
    const { session: upper } = await mountSample({ files: { high: '2' } }, { mountpoint: directory });
    await lower.unmount();
    expect((await run('ls', directory)).stdout).toBe('high\n');
    await upper.unmount();
  });
});

describe.skipIf(noMounts !== '')(`a daemon and ${title}`, () => {
  it('killed with -9 leaves a mount that answers ENOTCONN, which the next mount there removes', async () => {
    const directory = mountpoint();
    const { daemon, ended } = await startDaemon(directory, { files });
    const { fuseMountState } = await builtFace();
    expect(await fuseMountState(directory)).toBe('alive');
    daemon.kill('SIGKILL');
    await ended;
    expect((await run('ls', directory)).stderr).toContain('Transport endpoint is not connected');
    expect(await fuseMountState(directory)).toBe('dead');
    const { session } = await mountSample({ files: { fresh: '1' } }, { mountpoint: directory });
    expect((await run('ls', directory)).stdout).toBe('fresh\n');
    await session.unmount();
    expect(isMounted(directory)).toBe(false);
  });

  it('killed with -9 while its files are read: readers fail, unmountFuse() takes the rest down', async () => {
    const directory = mountpoint();
    const { daemon, ended } = await startDaemon(directory, { files, directIo: true });
    const readers = shell(`cd ${directory} && while cat a > /dev/null 2>&1; do :; done; cat a`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    daemon.kill('SIGKILL');
    await ended;
    expect((await readers).stderr).toMatch(DEAD_MOUNT);
    const { unmountFuse } = await builtFace();
    expect(await unmountFuse(directory)).toBe('dead');
    expect(isMounted(directory)).toBe(false);
    await expect(unmountFuse(directory)).rejects.toMatchObject({ code: 'EINVAL' });
  });

  it('is told by unmountFuse() from another process, alive or hung', async () => {
    const directory = mountpoint();
    const { unmountFuse, fuseMountState } = await builtFace();
    const first = await startDaemon(directory, { files });
    expect(await unmountFuse(directory)).toBe('alive');
    expect(await first.ended).toBe(`0: mounted ${first.connectionId}\nclosed unmounted`);
    const second = await startDaemon(directory, { files });
    const stuck = run('cat', `${directory}/endless`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await fuseMountState(directory, 500)).toBe('hung');
    expect(await unmountFuse(directory)).toBe('hung');
    expect(isMounted(directory)).toBe(false);
    expect((await stuck).stderr).toMatch(DEAD_MOUNT);
    second.daemon.kill('SIGKILL');
    await second.ended;
  });

  it('that is busy is aborted by unmountFuse(), or refused with EBUSY', async () => {
    const directory = mountpoint();
    const { unmountFuse } = await builtFace();
    const { ended } = await startDaemon(directory, { files, directIo: true });
    const user = await holder(`${directory}/a`);
    await expect(unmountFuse(directory, { whenBusy: 'fail' })).rejects.toMatchObject({ code: 'EBUSY' });
    expect(await unmountFuse(directory)).toBe('alive');
    expect(await ended).toMatch(/^0: /);
    user.readAgain();
    expect(await user.ended).toMatch(DEAD_MOUNT);
  });

  it.each(['exit', 'throw'])(
    'that ends by itself with the mount up (%s) ends at once and leaves no mount',
    async (word) => {
      const directory = mountpoint();
      const { daemon, ended } = await startDaemon(directory, { files });
      const before = Date.now();
      daemon.stdin?.write(`${word}\n`);
      expect(await ended).toMatch(word === 'exit' ? /^3: / : /^1: /);
      expect(Date.now() - before).toBeLessThan(5000);
      expect(isMounted(directory)).toBe(false);
    },
  );
});

const helper = (() => {
  if (noMounts) return noMounts;
  try {
    execFileSync('fusermount3', ['--version']);
    return '';
  } catch {
    return 'needs fusermount3 (fuse3)';
  }
})();

describe.skipIf(helper !== '')(`a mount by fusermount3${helper ? ` (skipped: ${helper})` : ''}`, () => {
  it('works and goes like one by mount(2)', async () => {
    const { session, directory } = await mountSample({ files }, { mount: { by: 'fusermount3' } });
    expect((await run('cat', `${directory}/a`)).stdout).toBe('abc');
    expect((await run('stat', '-f', '-c', '%T', directory)).status).toBe(0);
    await session.unmount();
    expect(isMounted(directory)).toBe(false);
  });
});
