// What went wrong: nothing held the memory of a mapping once the mount was gone, so a file system that was made anew under it
// would have shown through. Right is: a mapping goes on showing its file, whatever becomes of the mount, and while it lives nobody
// can give its memory to another file system.
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, binary, MIB, noMounts, sh, until } from '../mounts/support.js';
import { patterned, python, RunPlace, withoutPython } from './support.js';

const skipped = noMounts !== '' || python === '';
const SIZE = 3 * MIB + 99;

/** Maps files when told so, by their paths, and says whether all that it has mapped still shows `plain`. */
const KEEPER = `
import mmap, sys
plain = open(sys.argv[1], 'rb').read()
maps = []
for line in sys.stdin:
    try:
        if line != 'look\\n':
            with open(line[:-1], 'rb') as f: maps.append(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))
        print('same' if all(m[:] == plain for m in maps) else 'different', flush=True)
    except OSError as e: print(e.strerror, flush=True)
`;

describe.skipIf(skipped)(
  `a mapping under udax run, and the end of its mount${because}${withoutPython}`,
  () => {
    let place: RunPlace;
    let at: string;
    let keeper: ChildProcess;
    let answers: AsyncIterator<string>;
    let explained: string;
    beforeEach(() => {
      place = new RunPlace();
      place.makeVolume('64MiB');
      const plain = path.join(place.directory, 'plain');
      fs.writeFileSync(plain, patterned(SIZE));
      expect(place.udax('cp', plain, 'dax0.0:/a').status).toBe(0);
      at = place.mount();
      explained = path.join(place.directory, 'explained');
      const words = [binary, 'run', `--explain=${explained}`, '--', python, '-c', KEEPER, plain];
      keeper = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] });
      answers = createInterface({ input: keeper.stdout! })[Symbol.asyncIterator]();
    });
    afterEach(async () => {
      keeper.stdin!.end();
      await new Promise((done) => (keeper.exitCode === null ? keeper.once('exit', done) : done(null)));
      place.close();
    });

    async function ask(line: string): Promise<string> {
      keeper.stdin!.write(`${line}\n`);
      return (await answers.next()).value as string;
    }
    const lastExplained = () => fs.readFileSync(explained, 'utf8').trim().split('\n').at(-1);

    it('umount: the mapping goes on, and nobody formats the memory under it, until it ends', async () => {
      expect(await ask(`${at}/a`)).toBe('same');
      expect(lastExplained()).toContain('the memory itself');
      expect(place.udax('umount', '-f', at).status).toBe(0);
      expect(await ask('look')).toBe('same');
      const { status, stderr } = place.udax('mkfs', '-f', 'dax0.0');
      expect(status).toBe(1);
      expect(stderr).toMatch(/in use by pid \d+ \(\S*python3 -c.*\(EBUSY\)/s);
      expect(await ask('look')).toBe('same');
      keeper.stdin!.end();
      await new Promise((done) => keeper.once('exit', done));
      expect(place.udax('mkfs', '-f', 'dax0.0').status).toBe(0);
    });

    it('the daemon is killed: the mapping goes on, a new one gets the answer of the dead mount, and mkfs is refused', async () => {
      expect(await ask(`${at}/a`)).toBe('same');
      const pid = place.daemonPid(at);
      process.kill(pid, 'SIGKILL');
      await until('the mount is dead', () => sh(`stat ${at}/a`).status !== 0);
      expect(await ask('look')).toBe('same');
      expect(await ask(`${at}/a`)).toMatch(/not connected|connection abort/i);
      expect(place.udax('umount', at).status).toBe(0);
      expect(place.udax('mkfs', '-f', 'dax0.0').stderr).toContain('EBUSY');
      expect(await ask('look')).toBe('same');
      // The same file system, mounted again, is the same memory.
      const again = place.mount();
      expect(await ask(`${again}/a`)).toBe('same');
      expect(lastExplained()).toContain('the memory itself');
    });

    it('failed memory: the mount says so, and the old way gives its error', async () => {
      const { extents } = JSON.parse(place.udax('--json', 'getmap', 'dax0.0:/a').stdout) as {
        extents: { offset: number }[];
      };
      expect(place.udax('poison', 'dax0.0', String(extents[0]!.offset + MIB), '4096').status).toBe(0);
      await until('the mount knows of it', () => sh(`cat ${at}/a > /dev/null`).status !== 0);
      const { status, signal, line } = { ...(await mapped(`${at}/a`)), line: lastExplained() };
      expect(line).toContain('the old way: some of its memory has failed');
      expect([status, signal]).toEqual([null, 'SIGBUS']);
    });

    it('memory that was cut: the old way', async () => {
      fs.truncateSync(path.join(place.root, 'regions/0.mem'), 11 * MIB);
      expect((await mapped(`${at}/a`)).signal).toBe('SIGBUS');
      expect(lastExplained()).toContain('the old way');
    });

    it('files that are not published yet, other sizes and other hosts: the old way, with the reason', async () => {
      const slow = place.mount('dax0.0', '--settle', '600');
      fs.writeFileSync(path.join(slow, 'new'), patterned(SIZE));
      expect(await ask(`${slow}/new`)).toBe('same');
      expect(lastExplained()).toContain('the old way: the file is not published yet');
      const client = place.mountpoint();
      expect(place.udax('--role', 'client', 'mount', 'dax0.0', client).status).toBe(0);
      expect(await ask(`${client}/a`)).toBe('same');
      expect(lastExplained()).toContain('the old way: another host owns the volume');
      const bare = place.mount('dax0.0', '--no-xattr');
      expect(await ask(`${bare}/a`)).toBe('same');
      expect(lastExplained()).toContain('the old way: the mount has no attributes');
      const reading = place.mount('dax0.0', '--read-only');
      expect(await ask(`${reading}/a`)).toBe('same');
      expect(lastExplained()).toContain('the memory itself');
    });

    /** Maps a file and loads all of it, in a process of its own. */
    async function mapped(file: string): Promise<{ status: number | null; signal: string | null }> {
      const script =
        'import mmap,sys; f=open(sys.argv[1],"rb"); sum(mmap.mmap(f.fileno(),0,access=1)[::4096])';
      const child = spawn(process.execPath, [
        binary,
        'run',
        `--explain=${explained}`,
        '--',
        'sh',
        '-c',
        '"$@"; exit $?',
        'sh',
        python,
        '-c',
        script,
        file,
      ]);
      const [code] = await new Promise<[number | null]>((done) =>
        child.once('exit', (status) => done([status])),
      );
      return code === 128 + 7 ? { status: null, signal: 'SIGBUS' } : { status: code, signal: null };
    }
  },
);
