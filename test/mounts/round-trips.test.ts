import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, binary, have, noMounts, output, Place, until } from './support.js';

describe.skipIf(noMounts !== '')(`what a mount is asked, and what not${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('128MiB');
  });
  afterEach(() => place.close());

  /** Mounts with a wire log. `asked` returns the operations of requests since its last call. */
  async function mountWithLog(): Promise<{ at: string; asked: () => string[]; end: () => Promise<void> }> {
    const at = place.mountpoint();
    const words = [binary, '--root', place.root, 'mount', '-f', '--wirelog', '--no-xattr', 'dax0.0', at];
    const daemon = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    daemon.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    const ended = new Promise<void>((done) => daemon.on('close', () => done()));
    await until('the mount is there', () => fs.readFileSync('/proc/self/mounts', 'utf8').includes(` ${at} `));
    const asked = () => {
      const found = [...log.matchAll(/-> #\d+ ([A-Z]+)/g)].map((match) => match[1]!);
      log = '';
      return found;
    };
    const end = async () => {
      daemon.kill('SIGTERM');
      await ended;
    };
    return { at, asked, end };
  }

  const pause = () => new Promise((done) => setTimeout(done, 300));

  it('nothing when a tree is listed again', async () => {
    const volume = place.volume();
    volume.mkdir('/d');
    for (let i = 0; i < 50; i++) volume.create(`/d/f${i}`, { size: 10 }).close();
    const { at, asked, end } = await mountWithLog();
    const first = output(`ls -lR '${at}'`);
    output(`ls -lR '${at}'`);
    await pause();
    expect(asked()).toEqual(expect.arrayContaining(['OPENDIR', 'READDIRPLUS']));
    expect(output(`ls -lR '${at}'`)).toBe(first);
    await pause();
    expect(asked()).toEqual([]);
    volume.create('/d/more', { size: 10 }).close();
    await until('the listing has it', () => output(`ls '${at}/d'`).includes('more\n'));
    await end();
  });

  it('no FLUSH when a file that was only read is closed', async () => {
    place.volume().create('/f', { size: 10 }).close();
    const { at, asked, end } = await mountWithLog();
    output(`cat '${at}/f'`);
    await pause();
    const reading = asked();
    expect(reading).toEqual(expect.arrayContaining(['OPEN', 'READ', 'RELEASE']));
    expect(reading).not.toContain('FLUSH');
    output(`printf x | dd of='${at}/f' conv=notrunc 2>/dev/null`);
    await pause();
    expect(asked()).toContain('FLUSH');
    await end();
  });

  it.skipIf(!have('python3'))(
    'a directory read in pieces, while files are made in it, names each file once (needs python3)',
    () => {
      const volume = place.volume();
      volume.mkdir('/d');
      for (let i = 0; i < 1000; i++) volume.mkdir(`/d/old${i}`);
      const script = `import os, sys
d = sys.argv[1]
growing = open(d + '/growing', 'wb')
growing.write(b'x')
names = []
for place, entry in enumerate(os.scandir(d)):
    names.append(entry.name)
    if place == 10: growing.close()
    if place % 100 == 50: open(d + '/new%d' % place, 'wb').write(b'x')
once = len(names) == len(set(names))
old = sum(name.startswith('old') for name in names)
print(once, old, 'growing' in names, len(os.listdir(d)))`;
      const at = place.mount();
      fs.writeFileSync(`${place.directory}/read.py`, script);
      expect(output(`python3 '${place.directory}/read.py' '${at}/d'`)).toMatch(/^True 1000 True 101[12]\n$/);
    },
  );
});
