import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, binary, have, MIB, noMounts, output, Place, sh, until } from './support.js';

describe.skipIf(noMounts !== '')(`a mount and what happens past it${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('128MiB');
  });
  afterEach(() => place.close());

  it('files that others make appear, also where their absence was looked at', async () => {
    const at = place.mount();
    expect(sh(`cat '${at}/late'; ls '${at}'`).stdout).toBe('');
    const volume = place.volume();
    volume.mkdir('/dir');
    volume.create('/late', { size: 4 }).write(Buffer.from('here'), 0);
    await until('the name appears', () => sh(`cat '${at}/late'`).stdout === 'here');
    await until('the listing has it', () => output(`ls '${at}'`) === 'dir\nlate\n');
  });

  it('reads of a writable file see stores of other processes at once', () => {
    const file = place.volume().create('/f', { size: 8192 });
    const at = place.mount();
    const view = file.map({ writable: true });
    for (const byte of [65, 66, 67]) {
      view.fill(byte);
      expect(output(`head -c 3 '${at}/f'`)).toBe(String.fromCharCode(byte).repeat(3));
    }
  });

  it('writes through the mount are seen by views of other processes at once', () => {
    const view = place.volume().create('/f', { size: 8192 }).map();
    const at = place.mount();
    output(`printf hello | dd of='${at}/f' bs=1 seek=4094 conv=notrunc 2>/dev/null`);
    expect(Buffer.from(view.subarray(4094, 4099)).toString()).toBe('hello');
  });

  it('a client writes files that are there when it was given that, and makes none', () => {
    const view = place.volume().create('/f', { size: 8192 }).map();
    const reader = place.udax('--role', 'client', 'mount', 'dax0.0', place.mountpoint());
    expect(reader.status).toBe(0);
    const onlyReads = reader.stdout.match(/is at (.*) \(pid/)![1];
    expect(sh(`printf no | dd of='${onlyReads}/f' conv=notrunc`).stderr).toContain('Read-only file system');
    const writer = place.udax('--role', 'client', 'mount', '--client-writes', 'dax0.0', place.mountpoint());
    const at = writer.stdout.match(/is at (.*) \(pid/)![1];
    output(`printf yes | dd of='${at}/f' conv=notrunc 2>/dev/null`);
    expect(Buffer.from(view.subarray(0, 3)).toString()).toBe('yes');
    expect(output(`head -c 3 '${at}/f'`)).toBe('yes');
    expect(sh(`mkdir '${at}/d'`).stderr).toContain('Read-only file system');
    expect(sh(`echo new > '${at}/new'`).stderr).toContain('Read-only file system');
    expect(sh(`: > '${at}/f'`).status).not.toBe(0);
  });

  it.skipIf(!have('python3'))('mmap readers see a writer after publish() (needs python3)', async () => {
    const volume = place.volume();
    const view = volume.create('/f', { size: 8192 }).map({ writable: true });
    view.fill(65);
    const at = place.mount();
    const reader = place.start('timeout', [
      '60',
      'python3',
      '-uc',
      `
import mmap, sys
f = open('${at}/f', 'rb')
m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
for line in sys.stdin:
    print(m[0], m[5000], flush=True)
`,
    ]);
    let said = '';
    reader.stdout!.on('data', (data) => {
      said += data;
    });
    const ask = async () => {
      said = '';
      reader.stdin!.write('\n');
      await until('the reader answers', () => said.endsWith('\n'));
      return said.trim();
    };
    expect(await ask()).toBe('65 65');
    view.fill(66);
    volume.publish();
    let seen = '';
    for (let tries = 0; tries < 50 && seen !== '66 66'; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      seen = await ask();
    }
    expect(seen).toBe('66 66');
  });

  it('four readers at once with a writer never see anything but what was written', async () => {
    const at = place.mount();
    const size = 2 * MIB;
    fs.writeFileSync(`${place.directory}/a`, Buffer.alloc(size, 'a'));
    output(`cp '${place.directory}/a' '${at}/shared'`);
    const writer = place.start('timeout', [
      '20',
      'sh',
      '-c',
      `i=0; while [ $i -lt 30 ]; do tr '\\000' b < /dev/zero | head -c ${size} | dd of='${at}/shared' bs=64k conv=notrunc 2>/dev/null; dd if='${place.directory}/a' of='${at}/shared' bs=64k conv=notrunc 2>/dev/null; i=$((i+1)); done`,
    ]);
    const readers = [1, 2, 3, 4].map(() =>
      place.start('timeout', [
        '20',
        'sh',
        '-c',
        `i=0; while [ $i -lt 15 ]; do tr -d 'ab' < '${at}/shared' | wc -c; wc -c < '${at}/shared'; i=$((i+1)); done`,
      ]),
    );
    const texts = await Promise.all(
      readers.map(
        (reader) =>
          new Promise<string>((resolve) => {
            let text = '';
            reader.stdout!.on('data', (data) => {
              text += data;
            });
            reader.once('close', () => resolve(text));
          }),
      ),
    );
    writer.kill();
    for (const text of texts) expect(text).toBe(`0\n${size}\n`.repeat(15));
  });

  it('a client mount reads everything and answers EROFS to whatever would write', () => {
    const volume = place.volume();
    volume.create('/f', { size: 5 }).write(Buffer.from('12345'), 0);
    volume.mkdir('/d');
    const at = place.mountpoint();
    const env = 'UDAX_SYSTEM_UUID=99999999-2222-4333-8444-555555555555';
    output(`${env} '${process.execPath}' bin/udax.js --root '${place.root}' mount dax0.0 '${at}'`);
    expect(output(`cat '${at}/f'`)).toBe('12345');
    const writers = [
      `printf x | dd of='${at}/f' conv=notrunc`,
      `printf x > '${at}/new'`,
      `mkdir '${at}/e'`,
      `rm '${at}/f'`,
      `rmdir '${at}/d'`,
      `mv '${at}/f' '${at}/g'`,
      `ln -s x '${at}/l'`,
      `chmod 600 '${at}/f'`,
      `truncate -s 1 '${at}/f'`,
    ];
    for (const writer of writers) {
      const { status, stderr } = sh(writer);
      expect([writer, status !== 0, /Read-only file system/.test(stderr)]).toEqual([writer, true, true]);
    }
  });

  it('files that nobody may write are cached: a second read asks for nothing', async () => {
    place.volume().create('/f', { size: 4096, mode: 0o444 }).close();
    const at = place.mountpoint();
    const log = `${place.directory}/wire`;
    const command = `exec '${process.execPath}' '${binary}' --root '${place.root}' mount -f --wirelog dax0.0 '${at}' 2> '${log}'`;
    place.start('timeout', ['60', 'sh', '-c', command]);
    const requests = () => (fs.readFileSync(log, 'utf8').match(/^-> #\d+ READ /gm) ?? []).length;
    await until('it is mounted', () => sh(`mountpoint -q '${at}'`).status === 0);
    output(`cat '${at}/f' > /dev/null`);
    await until('the read is in the log', () => requests() > 0);
    const first = requests();
    output(`cat '${at}/f' > /dev/null; cat '${at}/f' > /dev/null`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(requests()).toBe(first);
  });

  it('a writer that is killed leaves a file with what it wrote', async () => {
    const at = place.mount();
    const writer = place.start('timeout', [
      '60',
      'sh',
      '-c',
      `exec 3> '${at}/half'; /bin/echo half >&3; echo done; read go`,
    ]);
    let said = '';
    writer.stdout!.on('data', (data) => {
      said += data;
    });
    await until('half is written', () => said === 'done\n');
    expect(place.volume().exists('/half')).toBe(false);
    writer.kill('SIGKILL');
    sh(`pkill -9 -P ${writer.pid}`);
    await until('the file is there', () => place.volume().exists('/half'));
    expect(output(`cat '${at}/half'`)).toBe('half\n');
  });

  it.skipIf(!have('fio'))('fio verifies a striped file through the mount (needs fio)', () => {
    const stripe = { nstrips: 4, nbuckets: 8, chunkSize: 2 * MIB };
    place
      .volume()
      .create('/striped', { size: 24 * MIB, stripe })
      .close();
    const at = place.mount();
    const { status, stdout, stderr } = sh(
      `fio --name=v --filename='${at}/striped' --size=24M --rw=randwrite --bs=16k --verify=crc32c --do_verify=1 --overwrite=1 --verify_state_save=0 --allow_file_create=0 --ioengine=psync`,
      60,
    );
    expect([status, stderr, /err= 0/.test(stdout)]).toEqual([0, '', true]);
  });
});
