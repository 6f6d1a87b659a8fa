import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type FuseSession, startSession } from '../../../dist/fuse/index.js';
import { OwnFileOpener } from '../../../dist/mounts/famfs/zero-copy/opener.js';
import { isUsedByOthers } from '../../../dist/mounts/famfs/zero-copy/users.js';
import { because, noMounts, output, until } from '../support.js';

let directory = '';
let session: FuseSession | undefined;
let opener: OwnFileOpener | undefined;
let child: ChildProcess | undefined;
const heard: unknown[] = [];
afterEach(async () => {
  child?.kill('SIGKILL');
  await session?.unmount({ whenBusy: 'abort' });
  await opener?.end();
  [session, opener, child] = [undefined, undefined, undefined];
  heard.length = 0;
  fs.rmSync(directory, { recursive: true, force: true });
});

async function start(): Promise<string> {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-own-'));
  const mountpoint = path.join(directory, 'mnt');
  fs.mkdirSync(mountpoint);
  session = await startSession({
    mountpoint,
    mount: { source: 'own-files', subtype: 'udax-test' },
    fileSystem: { moduleUrl: new URL('own-files-module.mjs', import.meta.url) },
    onMessage: (message) => {
      if (opener?.hear(message) !== true) heard.push(message);
    },
  });
  opener = await OwnFileOpener.begin(session, false, (error) => heard.push(error.message));
  return mountpoint;
}

/** The kernel here has no extent maps; it has the rest of FUSE, on which zero-copy mounts rest. */
describe.skipIf(noMounts !== '')(`the hidden files of a mount, on this host's kernel${because}`, () => {
  it('are opened by the main thread while the worker serves, and then are there for nobody else', async () => {
    const mountpoint = await start();
    expect(heard).toEqual(['opened .device', 'opened .superblock', 'opened .window.1', 'begin']);
    const meta = path.join(mountpoint, '.meta');
    expect(fs.statSync(path.join(meta, '.superblock')).mode & 0o7777).toBe(0o600);
    for (const name of ['.device', '.window.1'])
      expect(spawnSync('cat', [path.join(meta, name)], { encoding: 'utf8' }).stderr).toMatch(/No such file/);
    const held = fs.readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).endsWith('/.device'));
    expect(held).toHaveLength(1);
    const again = spawnSync('cat', [`/proc/${process.pid}/fd/${held[0]}`], { encoding: 'utf8' });
    expect(again.stderr).toMatch(/No such file/);
  });

  it('a window that is closed is forgotten by the kernel: RELEASE, then FORGET', async () => {
    await start();
    await session!.call('next');
    await until('the next window is open', () => heard.includes('opened .window.2'));
    const [fd] = fs.readdirSync('/proc/self/fd').filter((one) => linkOf(one).endsWith('/.window.1'));
    opener!.hear({ zeroCopy: 'close', name: '.window.1', fd: Number(fd) });
    await until('it is forgotten', () => heard.includes('forget .window.1'));
    expect(heard.indexOf('release .window.1')).toBeLessThan(heard.indexOf('forget .window.1'));
    expect(heard).not.toContain('forget .window.2');
  });

  it('do not keep umount(8) from working; the mount is then no longer needed', async () => {
    const mountpoint = await start();
    expect(opener!.isNeeded).toBe(true);
    output(`umount '${mountpoint}'`);
    expect(opener!.isNeeded).toBe(false);
    await session!.unmount();
    await opener!.end();
    expect(
      fs.readdirSync('/proc/self/fd').filter((fd) => /\/\.(device|superblock|window)/.test(linkOf(fd))),
    ).toEqual([]);
  });

  it('a detached mount is needed as long as another process uses it', async () => {
    const mountpoint = await start();
    child = spawn('sh', ['-c', `cd '${mountpoint}' && echo there && exec sleep 60`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout!, 'data');
    output(`umount -l '${mountpoint}'`);
    expect(isUsedByOthers(session!.connectionId)).toBe(true);
    expect(opener!.isNeeded).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isUsedByOthers(session!.connectionId)).toBe(false);
  });
});

function linkOf(fd: string): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // the descriptor of the listing itself
  }
}
