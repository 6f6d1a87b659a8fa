// Volumes that were changed, in Python. The client read the log alone, so it showed names that were removed and bytes that were replaced. Right
// is the tree that udax itself sees: names, numbers, links, times, attributes and bytes, also while it changes.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openVolume, type Volume } from '../../src/index.js';
import { because, Child, noPython, pythons, temporaryDirectory, UUID } from './support.js';

type Row = [
  type: string,
  ino: number,
  size: number,
  mode: number,
  owner: string,
  nlink: number,
  target: string | null,
  times: (string | null)[],
  content: string,
  xattrs: Record<string, string>,
];

const PYTHON = `
def row(v, path):
    stat = v.lstat(path)
    times = stat.times or udax.Times()
    kind = "directory" if stat.is_dir else "symlink" if stat.is_link else "file"
    content, xattrs = "", {}
    if kind == "file":
        file = v.open(path)
        content = bytes(file.buffer())
        assert file.read() == content
        content = hashlib.sha256(content).hexdigest()
    if kind != "symlink":
        xattrs = {name: v.getxattr(path, name).hex() for name in v.listxattr(path)}
    else:
        assert v.readlink(path) == stat.target
    ns = [each if each is None else str(each) for each in (times.atime_ns, times.mtime_ns, times.ctime_ns)]
    return [kind, stat.ino, stat.size, stat.mode, f"{stat.uid}:{stat.gid}", stat.nlink, stat.target, ns, content, xattrs]
def led(v, path):
    try: return v.stat(path).path
    except udax.UdaxError as error: return error.code
def tree(v):
    paths = [f"{top.rstrip('/')}/{name}" for top, ds, fs in v.walk() for name in (*ds, *fs)]
    links = {path: led(v, path) for path in paths if v.lstat(path).is_link}
    return {"rows": {path: row(v, path) for path in paths}, "links": links, "problems": [p.message for p in v.problems]}
`;

interface Answer {
  rows: Record<string, Row>;
  links: Record<string, string>;
  problems: string[];
}

function rowOf(volume: Volume, at: string): Row {
  const stat = volume.lstat(at);
  const { atime, mtime, ctime } = stat.times ?? {};
  const nanoseconds = (time?: { seconds: number; nanoseconds: number }) =>
    time === undefined ? null : String(BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanoseconds));
  const isLink = stat.isSymbolicLink();
  const xattrs = isLink ? [] : volume.listxattr(at);
  return [
    stat.isDirectory() ? 'directory' : isLink ? 'symlink' : 'file',
    stat.ino,
    stat.size,
    stat.mode & 0o7777,
    `${stat.uid}:${stat.gid}`,
    stat.nlink,
    isLink ? volume.readlink(at) : null,
    [atime, mtime, ctime].map(nanoseconds),
    stat.isFile() ? hashOf(volume, at) : '',
    Object.fromEntries(xattrs.map((name) => [name, Buffer.from(volume.getxattr(at, name)).toString('hex')])),
  ];
}

function hashOf(volume: Volume, at: string): string {
  return createHash('sha256').update(volume.fs.readFileSync(at)).digest('hex');
}

function ledTo(volume: Volume, at: string): string {
  try {
    return volume.stat(at).path;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

function answerOf(volume: Volume): Answer {
  const stats = [...volume.walk()];
  return {
    rows: Object.fromEntries(stats.map((stat) => [stat.path, rowOf(volume, stat.path)])),
    links: Object.fromEntries(
      stats.filter((stat) => stat.isSymbolicLink()).map((stat) => [stat.path, ledTo(volume, stat.path)]),
    ),
    problems: [],
  };
}

const LONG = 'n'.repeat(120);
const NAMES = ['a', 'b', 'c', 'd', 'd/a', 'd/b', 'd/e', 'd/e/f', LONG, `d/${LONG}`, 'c/\udcff', 'c/\u00e9'];
const TARGETS = ['a', 'd', 'e/f', '/d/e', '../b', 'none', `${LONG}/a`];

/** The same numbers in every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state >>> 8;
  }
}

class Changer {
  readonly #numbers: Generator<number, never>;
  /** How many changes of each kind were made. */
  readonly made = new Map<string, number>();

  constructor(
    readonly volume: Volume,
    seed: number,
  ) {
    this.#numbers = numbers(seed);
  }

  #one<T>(among: readonly T[]): T {
    return among[this.#numbers.next().value % among.length]!;
  }

  /** Makes so many changes. Others are refused on the way, as to any program. */
  change(count: number): void {
    for (let made = 0; made < count; ) if (this.#try()) made++;
  }

  #try(): boolean {
    const { volume } = this;
    const [at, to] = [this.#one(NAMES), this.#one(NAMES)].map((name) => `/${name}`) as [string, string];
    const number = this.#numbers.next().value % 9000;
    const acts: Record<string, () => void> = {
      mkdir: () => volume.mkdir(at),
      create: () =>
        volume
          .create(at, { size: number + 1, mode: 0o640, fill: (into: Uint8Array) => into.fill(number) })
          .close(),
      put: () => volume.put(at, new Uint8Array(number).fill(number)),
      empty: () => volume.put(at, new Uint8Array(0)),
      truncate: () => volume.truncate(at, number),
      unlink: () => volume.unlink(at),
      rm: () => volume.rm(at, { recursive: true }),
      rename: () => volume.rename(at, to),
      rename2: () => volume.rename(to, at),
      exchange: () => volume.rename(at, to, { exchange: true }),
      link: () => volume.link(at, to),
      symlink: () => volume.symlink(this.#one(TARGETS), at, { uid: number, gid: 7 }),
      chmod: () => volume.chmod(at, number % 0o10000),
      chown: () => volume.chown(at, number, -1),
      utimes: () => volume.utimes(at, number * 1000 - 500, -number),
      setxattr: () => volume.setxattr(at, `user.${number % 3}`, new Uint8Array(number).fill(number)),
      removexattr: () => volume.removexattr(at, `user.${number % 3}`),
    };
    const [kind, act] = this.#one(Object.entries(acts));
    try {
      act();
      this.made.set(kind, (this.made.get(kind) ?? 0) + 1);
      return true;
    } catch (error) {
      expect(ERRNOS).toContain((error as { code?: string }).code);
      return false;
    }
  }
}
const ERRNOS = 'ENOENT EEXIST ENOTDIR EISDIR ENOTEMPTY EINVAL EPERM ELOOP ENODATA EBUSY'.split(' ');

describe.skipIf(noPython !== '')(`changed volumes in Python${because}`, () => {
  let directory: string;
  let root: string;
  let volume: Volume;
  const children: Child[] = [];

  beforeEach(() => {
    process.env.UDAX_SYSTEM_UUID = UUID;
    directory = temporaryDirectory();
    root = path.join(directory, 'root');
    volume = openVolume(root, { size: '512MiB', lockWaitMs: 5000 });
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill();
      await child.ended();
    }
    volume.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  function start(code: string): Child {
    const child = new Child(pythons[0]!, `${PYTHON}\n${code}`, root);
    children.push(child);
    return child;
  }

  it.each([1, 2, 3])(
    'many changes: the same tree, at once, after each refresh, and anew (%i)',
    async (seed) => {
      const child = start(`v = udax.open_volume(args[0])
say("open")
for line in sys.stdin:
    with udax.open_volume(args[0]) as anew:
        say([tree(v), tree(anew)])`);
      await child.next();
      const changer = new Changer(volume, seed);
      for (let look = 0; look < 12; look++) {
        changer.change(12);
        child.say('');
        const [followed, anew] = await child.next<[Answer, Answer]>();
        const expected = answerOf(volume);
        expect(followed).toEqual(expected);
        expect(anew).toEqual(expected);
      }
      // Else nothing was tried.
      expect(changer.made.size).toBeGreaterThan(12);
      expect([...changer.made.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(60);
    },
  );

  it('a volume that was rewritten: its fresh annex makes the same tree', async () => {
    new Changer(volume, 5).change(60);
    // Its access time is unknown, and stays so: the fresh annex says that of what it makes.
    volume.create('/cut', { size: 9 }).close();
    volume.truncate('/cut', 0);
    await volume.rewrite();
    expect(volume.stat('/cut').times?.atime).toBeUndefined();
    const child = start('say(tree(udax.open_volume(args[0])))');
    expect(await child.next()).toEqual(answerOf(volume));
  });

  it('plain=True shows what the log says, as udax does', async () => {
    const changer = new Changer(volume, 4);
    changer.change(60);
    const child = start('say(tree(udax.open_volume(args[0], plain=True)))');
    volume.close();
    volume = openVolume(root, { plain: true, readOnly: true });
    const found = await child.next<Answer>();
    expect(found).toEqual(answerOf(volume));
    expect(Object.keys(found.rows)).toContain('/.udax-annex');
  });

  it('watch() tells removals and renames, and who has a file open keeps its bytes', async () => {
    volume.mkdir('/d');
    await volume.writeFile('/d/a', Buffer.from('before'));
    const child = start(`v = udax.open_volume(args[0])
file = v.open('/d/a'); view = file.buffer(); events = v.watch()
say('open')
for _ in range(3):
    event = next(events)
    say([[[e.path, e.size] for e in event.entries], [[r.old_path, r.path] for r in event.renamed], [r.path for r in event.removed]])
say([bytes(view).decode(), file.read().decode(), v.listdir('/')])`);
    await child.next();
    volume.rename('/d/a', '/b');
    expect(await child.next()).toEqual([[], [['/d/a', '/b']], []]);
    volume.unlink('/b');
    expect(await child.next()).toEqual([[], [], ['/b']]);
    volume.symlink('d', '/link');
    expect(await child.next()).toEqual([[['/link', 1]], [], []]);
    expect(await child.next()).toEqual(['before', 'before', ['d', 'link']]);
  });
});
