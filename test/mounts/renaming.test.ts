// A temporary name is no rubbish: what the log does not name yet can be renamed, replaced and removed, and the log gets the last names.
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pool } from '../famfs/volume/support.js';
import { FamfsWire, ROOT } from './famfs-wire.js';
import { because, have, noMounts, output, Place } from './support.js';

const [EBUSY, EEXIST, ENOTDIR, EISDIR, ENAMETOOLONG, ENOTEMPTY] = [-16, -17, -20, -21, -36, -39];
const NOREPLACE = 1;

let pool: Pool;
let famfs: FamfsWire;
beforeEach(() => {
  pool = new Pool();
  famfs = new FamfsWire(pool.mount());
});
afterEach(() => pool.close());

/** The tree in the log: path -> content, null for a directory. */
function logged(): Record<string, string | null> {
  famfs.publish();
  expect([famfs.reports, pool.fsck()]).toEqual([[], []]);
  const volume = pool.mount();
  const tree: Record<string, string | null> = {};
  const walk = (at: string) => {
    for (const name of volume.readdir(at)) {
      const inner = `${at === '/' ? '' : at}/${name}`;
      const isDirectory = volume.stat(inner).type === 'directory';
      tree[inner] = isDirectory ? null : volume.fs.readFileSync(inner, 'utf8');
      if (isDirectory) walk(inner);
    }
  };
  walk('/');
  return tree;
}

describe('rename of what is in the making', () => {
  it('gives the log the last name only, and keeps the node', () => {
    const { node } = famfs.make(ROOT, 'temporary', 'text');
    expect(famfs.rename(ROOT, 'temporary', 'final')).toBe(0);
    expect([famfs.lookup(ROOT, 'final').node, famfs.lookup(ROOT, 'temporary').node]).toEqual([node, 0n]);
    expect(logged()).toEqual({ '/final': 'text' });
  });

  it('works while the file is open, which goes on being written', () => {
    const { node, handle } = famfs.create(ROOT, 'a');
    famfs.write(node, handle, 'one');
    expect(famfs.rename(ROOT, 'a', 'b')).toBe(0);
    famfs.write(node, handle, ' two', 3);
    famfs.close(node, handle);
    expect(logged()).toEqual({ '/b': 'one two' });
  });

  it('replaces what is in the making: its space is free, its open handle lives', () => {
    const before = pool.mount().statfs().free;
    const old = famfs.create(ROOT, 'f');
    famfs.write(old.node, old.handle, 'old');
    famfs.make(ROOT, 'f.tmp', 'new');
    expect(famfs.rename(ROOT, 'f.tmp', 'f', NOREPLACE)).toBe(EEXIST);
    expect(famfs.rename(ROOT, 'f.tmp', 'f')).toBe(0);
    expect(famfs.read(old.node, old.handle)).toBe('old');
    famfs.close(old.node, old.handle);
    expect(logged()).toEqual({ '/f': 'new' });
    expect(before - pool.mount().statfs().free).toBe(2 * 2 ** 20);
  });

  it('moves a directory with all in it, below another directory, with the writers that it waits for', () => {
    const from = famfs.mkdir(ROOT, 'from');
    const inner = famfs.mkdir(from.node, 'inner');
    famfs.make(inner.node, 'file', '1');
    const open = famfs.create(inner.node, 'open');
    famfs.write(open.node, open.handle, '2');
    const to = famfs.mkdir(ROOT, 'to');
    expect(famfs.rename(from.node, 'inner', 'moved', undefined, to.node)).toBe(0);
    famfs.close(open.node, open.handle);
    expect(logged()).toEqual({
      '/from': null,
      '/to': null,
      '/to/moved': null,
      '/to/moved/file': '1',
      '/to/moved/open': '2',
    });
  });

  it('has the errors of rename(2), and changes nothing then', () => {
    famfs.make(ROOT, 'f', '1');
    famfs.mkdir(ROOT, 'empty');
    const full = famfs.mkdir(ROOT, 'full');
    famfs.make(full.node, 'x', '2');
    const answers = [
      famfs.rename(ROOT, 'f', 'empty'),
      famfs.rename(ROOT, 'empty', 'f'),
      famfs.rename(ROOT, 'empty', 'full'),
      famfs.rename(ROOT, 'f', 'n'.repeat(256)),
      famfs.rename(ROOT, 'full', 'n'.repeat(256)),
    ];
    expect(answers).toEqual([EISDIR, ENOTDIR, ENOTEMPTY, ENAMETOOLONG, ENAMETOOLONG]);
    expect(famfs.rename(ROOT, 'full', 'empty')).toBe(0);
    expect(logged()).toEqual({ '/f': '1', '/empty': null, '/empty/x': '2' });
  });

  it('to a name that another mount is making is EBUSY; the old name is free for others at once', () => {
    const other = new FamfsWire(pool.mount());
    famfs.make(ROOT, 'mine', '1');
    other.create(ROOT, 'theirs');
    expect(famfs.rename(ROOT, 'mine', 'theirs')).toBe(EBUSY);
    expect(famfs.rename(ROOT, 'mine', 'free')).toBe(0);
    expect(other.make(ROOT, 'mine', '2').error).toBe(0);
    other.publish();
    expect(logged()).toEqual({ '/free': '1', '/mine': '2' });
  });

  it('a name that is removed while its file is open is free at once, and stays kept for its next owner', () => {
    const other = new FamfsWire(pool.mount());
    const { node, handle } = famfs.create(ROOT, 'name');
    famfs.write(node, handle, 'gone');
    expect(famfs.errorOf(10, ROOT, ['text', 'name\0'])).toBe(0);
    const next = famfs.create(ROOT, 'name');
    famfs.close(node, handle);
    expect(other.create(ROOT, 'name', { flags: 2 | 0o200 }).error).toBe(EEXIST);
    famfs.write(next.node, next.handle, 'next');
    famfs.close(next.node, next.handle);
    expect(logged()).toEqual({ '/name': 'next' });
  });

  it('any sequence of makes, renames and removals leaves what the same calls leave in a plain tree', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const place = fc.record({ at: fc.constantFrom('', 'd', 'e'), name });
    const step = fc.oneof(
      fc.record({ do: fc.constant('make' as const), to: place }),
      fc.record({ do: fc.constant('remove' as const), to: place }),
      fc.record({ do: fc.constant('rename' as const), from: place, to: place }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const one = new Pool();
        try {
          famfs = new FamfsWire(one.mount());
          const directories = { '': ROOT, d: famfs.mkdir(ROOT, 'd').node, e: famfs.mkdir(ROOT, 'e').node };
          const model = new Map<string, string>();
          const keyOf = ({ at, name: last }: { at: string; name: string }) => `${at}/${last}`;
          const nodeOf = ({ at }: { at: string }) => directories[at as keyof typeof directories];
          for (const [number, act] of steps.entries()) {
            const to = keyOf(act.to);
            if (act.do === 'make' && !model.has(to)) {
              expect(famfs.make(nodeOf(act.to), act.to.name, `${number}`).error).toBe(0);
              model.set(to, `${number}`);
            } else if (act.do === 'remove' && model.delete(to)) {
              expect(famfs.errorOf(10, nodeOf(act.to), ['text', `${act.to.name}\0`])).toBe(0);
            } else if (act.do === 'rename' && model.has(keyOf(act.from)) && keyOf(act.from) !== to) {
              const { from } = act;
              expect(famfs.rename(nodeOf(from), from.name, act.to.name, undefined, nodeOf(act.to))).toBe(0);
              model.set(to, model.get(keyOf(from))!);
              model.delete(keyOf(from));
            }
          }
          famfs.publish();
          const volume = one.mount();
          const found = ['', 'd', 'e'].flatMap((at) =>
            volume
              .readdir(`/${at}`)
              .filter((each) => !(at === '' && 'de'.includes(each)))
              .map((each) => [
                `${at}/${each}`,
                volume.fs.readFileSync(`/${at}/${each}`.replace('//', '/'), 'utf8'),
              ]),
          );
          expect(Object.fromEntries(found)).toEqual(Object.fromEntries(model));
          expect(one.fsck()).toEqual([]);
        } finally {
          one.close();
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe.skipIf(noMounts !== '')(`programs that rename temporaries, on a mount${because}`, () => {
  let place: Place;
  let at: string;
  beforeEach(() => {
    place = new Place();
    place.makeVolume();
    at = place.mount('dax0.0', '--settle', '3600');
  });
  afterEach(() => place.close());

  it.skipIf(!have('rsync'))('rsync without --inplace, twice', () => {
    const source = path.join(place.directory, 'source');
    fs.mkdirSync(path.join(source, 'deep/er'), { recursive: true });
    for (const name of ['one', 'deep/two', 'deep/er/three'])
      fs.writeFileSync(path.join(source, name), name.repeat(999));
    output(`rsync -a ${source}/ ${at}/copy/`, 60);
    expect(output(`rsync -ai ${source}/ ${at}/copy/`, 60)).toBe('');
    place.udax('umount', at);
    place.udax('mount', 'dax0.0', at);
    output(`diff -r ${source} ${at}/copy`);
    expect(fs.readdirSync(`${at}/copy`).sort()).toEqual(['deep', 'one']);
  });

  it('mv, sed -i and an atomic write over a new file', () => {
    output(
      `cd ${at} && echo hello > a && mv a b && sed -i s/hello/bye/ b && cp b c && mv -f c b && ls && cat b`,
    );
    expect(output(`cd ${at} && ls && cat b`)).toBe('b\nbye\n');
  });
});
