/** packDirectory(): archives that any reader reads, whose members lie at whole pages and are seen there. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packDirectory } from '../../src/formats/index.js';
import { openVolume, type Volume } from '../../src/index.js';

const PAGE = 4096;
let directory: string;
let source: string;
let volume: Volume;

const has = (program: string) => spawnSync('which', [program]).status === 0;
const unless = (program: string) => (has(program) ? '' : ` (skipped: no ${program})`);
const longName = `${'directory-with-a-long-name/'.repeat(6)}${'n'.repeat(120)}`;
const contents: Record<string, Buffer> = {
  'a.txt': Buffer.from('hello\n'),
  exact: Buffer.alloc(PAGE, 7),
  big: Buffer.alloc(9 * 2 ** 20 + 3, 'big '),
  'sub/empty': Buffer.alloc(0),
  'sub/gr\u00fc\u00dfe \u4f60': Buffer.from('names'),
  [longName]: Buffer.from('long'),
};

beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-pack-'));
  source = path.join(directory, 'source');
  for (const [name, bytes] of Object.entries(contents)) {
    fs.mkdirSync(path.dirname(path.join(source, name)), { recursive: true });
    fs.writeFileSync(path.join(source, name), bytes);
  }
  fs.chmodSync(path.join(source, 'a.txt'), 0o640);
  fs.utimesSync(path.join(source, 'a.txt'), 1_000_000_000, 1_234_567_890.5);
  fs.symlinkSync('../a.txt', path.join(source, 'sub/link'));
  fs.linkSync(path.join(source, 'a.txt'), path.join(source, 'z-second-name'));
  fs.mkdirSync(path.join(source, 'nothing-in-it'), { mode: 0o700 });
  volume = openVolume(path.join(directory, 'pool'), { size: '96MiB' });
});
afterAll(() => {
  volume.close();
  fs.rmSync(directory, { recursive: true });
});

describe.each(['zip', 'tar'] as const)('a %s', (format) => {
  const archive = () => path.join(directory, `x.${format}`);

  beforeAll(async () => {
    const onHost = await packDirectory(source, archive());
    expect(onHost).toMatchObject({ files: format === 'zip' ? 7 : 6, skipped: 0 });
    expect(onHost.archiveBytes).toBe(fs.statSync(archive()).size);
    await packDirectory(source, { volume, path: `/x.${format}` });
    const copy = path.join(directory, `copy.${format}`);
    await volume.copyOut(`/x.${format}`, copy);
    expect(fs.readFileSync(copy).equals(fs.readFileSync(archive()))).toBe(true);
  });

  it('has members at whole pages, seen where they lie', () => {
    const file = volume.open(`/x.${format}`);
    const members = file.members();
    for (const [name, bytes] of Object.entries(contents)) {
      const member = file.member(name);
      expect(members.get(name)).toBe(member);
      expect(member).toMatchObject({ type: 'file', size: bytes.length, isStored: true });
      if (bytes.length === 0) continue;
      expect(member.byteOffset % PAGE).toBe(0);
      const view = member.map();
      expect(Buffer.compare(Buffer.from(view as unknown as Uint8Array), bytes)).toBe(0);
      expect(member.verify()).toBe(format === 'zip');
    }
    expect(Array.from(file.member('exact').mapAs(Uint32Array, { offset: 4, length: 8 }))).toEqual([
      0x07070707, 0x07070707,
    ]);
    const into = new Uint8Array(10);
    expect(file.member('a.txt').read(into, 2)).toBe(4);
    expect(Buffer.from(into.subarray(0, 4)).toString()).toBe('llo\n');
    expect(file.member('a.txt')).toMatchObject({ mode: 0o640 });
    expect(file.member('a.txt').modified!.getTime()).toBe(
      format === 'zip' ? 1_234_567_890_000 : 1_234_567_890_500,
    );
    expect(file.member('sub/link')).toMatchObject({ type: 'symlink', target: '../a.txt' });
    expect(file.member('nothing-in-it/')).toMatchObject({ type: 'directory', mode: 0o700 });
    expect(file.member('z-second-name').read(into, 0)).toBe(6);
    expect(() => file.member('a.txt').map({ offset: 5, length: 2 })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(() => file.member('sub').map()).toThrow(expect.objectContaining({ code: 'EISDIR' }));
    expect(() => file.member('b')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    const view = file.member('a.txt').map();
    file.close();
    expect(view.byteLength).toBe(0);
  });

  it("is what Python's reader reads", () => {
    const program = `
import sys, zipfile, tarfile, json, hashlib
out = {}
if sys.argv[1].endswith('zip'):
    with zipfile.ZipFile(sys.argv[1]) as z:
        assert z.testzip() is None
        for i in z.infolist():
            if not i.is_dir() and (i.external_attr >> 28) != 10: out[i.filename] = hashlib.sha256(z.read(i)).hexdigest()
else:
    with tarfile.open(sys.argv[1]) as t:
        for i in t:
            if i.isfile() or i.islnk(): out[i.name] = hashlib.sha256(t.extractfile(i).read()).hexdigest()
print(json.dumps(out))`;
    const digests = JSON.parse(execFileSync('python3', ['-c', program, archive()], { encoding: 'utf8' }));
    const wanted = { ...contents, 'z-second-name': contents['a.txt']! };
    expect(Object.keys(digests).sort()).toEqual(Object.keys(wanted).sort());
    const sha = (bytes: Buffer) => execFileSync('sha256sum', { input: bytes, encoding: 'utf8' }).slice(0, 64);
    for (const [name, bytes] of Object.entries(wanted)) expect(digests[name]).toBe(sha(bytes));
  });

  it.skipIf(!has('tar') || !has('unzip'))(
    `unpacks to the same tree with modes, links and times${unless('tar')}${unless('unzip')}`,
    () => {
      const out = path.join(directory, `out-${format}`);
      fs.mkdirSync(out);
      if (format === 'tar') {
        execFileSync('tar', ['-xpf', archive(), '-C', out]);
        execFileSync('tar', ['--compare', '-f', archive(), '-C', source]);
        expect(fs.statSync(path.join(out, 'z-second-name')).nlink).toBe(2);
      } else {
        execFileSync('unzip', ['-q', archive(), '-d', out], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
      }
      execFileSync('diff', ['-r', '--no-dereference', source, out]);
      expect(fs.statSync(path.join(out, 'a.txt')).mode & 0o7777).toBe(0o640);
      expect(Math.floor(fs.statSync(path.join(out, 'a.txt')).mtimeMs / 1000)).toBe(1_234_567_890);
      expect(fs.readlinkSync(path.join(out, 'sub/link'))).toBe('../a.txt');
    },
  );

  it.skipIf(!has('bsdtar'))(`is read by bsdtar${unless('bsdtar')}`, () => {
    const names = execFileSync('bsdtar', ['-tf', archive()], { encoding: 'utf8' }).split('\n');
    expect(names).toContain('a.txt');
  });

  it('that is aborted leaves nothing', async () => {
    const stop = new AbortController();
    const onProgress = () => stop.abort();
    const options = { signal: stop.signal, onProgress, format };
    const before = volume.statfs();
    const listed = fs.readdirSync(directory);
    const onVolume = packDirectory(source, { volume, path: '/aborted' }, options);
    await expect(onVolume).rejects.toMatchObject({ name: 'AbortError' });
    expect(volume.exists('/aborted')).toBe(false);
    expect(volume.statfs()).toEqual(before);
    await expect(packDirectory(source, path.join(directory, 'aborted'), options)).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(fs.readdirSync(directory)).toEqual(listed);
  });

  it('tells what cannot be packed, packs the rest, and does not pack itself', async () => {
    const odd = path.join(directory, `odd-${format}`);
    fs.mkdirSync(odd);
    fs.writeFileSync(path.join(odd, 'good'), 'good');
    execFileSync('mkfifo', [path.join(odd, 'fifo')]);
    fs.writeFileSync(Buffer.concat([Buffer.from(`${odd}/bad`), Buffer.from([0xff])]), 'bad');
    const told: string[] = [];
    const archiveInside = path.join(odd, `self.${format}`);
    for (let i = 0; i < 2; i++) {
      told.length = 0;
      const result = await packDirectory(odd, archiveInside, { onSkipped: ({ code }) => told.push(code) });
      expect(result).toMatchObject({ files: 1, skipped: 2 });
    }
    expect(told.sort()).toEqual(['EILSEQ', 'EINVAL']);
  });
});

it('an archive that does not fit is refused before anything is taken', async () => {
  const before = volume.statfs();
  const large = path.join(directory, 'large');
  fs.mkdirSync(large);
  fs.writeFileSync(path.join(large, 'hole'), '');
  fs.truncateSync(path.join(large, 'hole'), 2 ** 30);
  await expect(packDirectory(large, { volume, path: '/large.zip' })).rejects.toMatchObject({
    code: 'ENOSPC',
  });
  expect(volume.statfs()).toEqual(before);
  await expect(packDirectory(source, path.join(directory, 'x.rar'))).rejects.toMatchObject({
    code: 'EINVAL',
  });
});
