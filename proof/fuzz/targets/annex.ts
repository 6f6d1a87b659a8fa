/** Annexes of any content: records that say anything, and bytes that say nothing. */
import { crc32 } from 'node:zlib';
import {
  bufferMedia,
  FileTree,
  formatMedia,
  fsckMedia,
  Log,
  LogAppender,
  type Media,
  newAllocationMap,
  readSuperblock,
  type Superblock,
} from '../../../src/famfs/index.js';
import { encodeAnnexHeader, recordSeed } from '../../../src/famfs/media/annex-file.js';
import {
  annexHeaderLayout,
  annexRecordLayout,
  annexSlotOffset,
} from '../../../src/famfs/media/annex-layout.js';
import { type AnnexChange, encodeRecordOf } from '../../../src/famfs/media/annex-record.js';
import { DEVICE_BYTES, HOST } from '../images.js';
import { Random } from '../random.js';
import { answered, assert, type Target } from '../target.js';

const MIB = 2 ** 20;
const ANNEX_AT = 10 * MIB;
const ANNEX_BYTES = 2 * MIB;
const UUIDS = {
  fileSystem: 'aaaaaaaa-0000-4000-8000-000000000001',
  device: 'aaaaaaaa-0000-4000-8000-000000000002',
};
const MOST_RECORDS = 40;
const owner = { uid: 0, gid: 0 };
const names = [
  'a',
  'b',
  'd',
  'e',
  'f',
  'x',
  '..',
  '.',
  '',
  'a/b',
  'n'.repeat(255),
  '.udax-annex',
  '.udax-objects',
];

class AnnexTarget implements Target {
  readonly name = 'annex';
  readonly share = 40;
  readonly #bytes = new Uint8Array(ANNEX_AT + ANNEX_BYTES);
  readonly #media: Media = bufferMedia(this.#bytes, { name: 'image', size: DEVICE_BYTES });
  #superblock!: Superblock;
  #entries = 0;

  open(): void {
    formatMedia(this.#media, { systemUuid: HOST, uuids: UUIDS });
    this.#superblock = readSuperblock(this.#media);
    const log = new LogAppender(Log.open(this.#media, this.#superblock));
    const file = (path: string, unit: number, size = 100) =>
      log.append({
        kind: 'file',
        path,
        size,
        mode: 0o644,
        ...owner,
        fmap: {
          type: 'simple',
          extents: [{ devindex: 0, offset: ANNEX_AT + unit * 2 * MIB, length: 2 * MIB }],
        },
      });
    for (const path of ['d', 'd/e', 'd/e/f', 'x']) log.append({ kind: 'mkdir', path, mode: 0o755, ...owner });
    file('a', 1);
    file('d/b', 2);
    file('.udax-annex', 0, ANNEX_BYTES);
    log.append({ kind: 'mkdir', path: '.udax-objects', mode: 0o755, ...owner });
    file('.udax-objects/8', 3);
    this.#entries = 9;
  }

  run(recipe: readonly number[]): void {
    const random = new Random((recipe[0] ?? 0) + 31 * recipe.length);
    const annex = this.#bytes.subarray(ANNEX_AT);
    annex.fill(0, 0, 64 * 1024);
    annex.set(encodeAnnexHeader(UUIDS.fileSystem, 0, ANNEX_BYTES, 0));
    const ends = this.#fill(annex, random);
    const view = new DataView(annex.buffer, annex.byteOffset);
    const publish = (slots: number, records: number) => {
      view.setUint32(annexHeaderLayout.fields.nextIndex.offset, slots, true);
      view.setUint32(annexHeaderLayout.fields.nextSeqnum.offset, records, true);
    };
    // One reader looks after each record, the other one once.
    const early = this.#tree();
    for (const [i, slots] of ends.entries()) {
      publish(slots, i + 1);
      answered(() => early.replay());
    }
    if (random.once(8)) publish(random.below(2 ** 32), random.below(2 ** 32));
    answered(() => early.replay());
    const late = this.#tree();
    answered(() => late.replay());
    const shown = walked(late);
    assert(
      shown === walked(early),
      'who reads an annex bit by bit sees another tree than who reads it at once',
    );
    assert(late.problems.length === early.problems.length, 'and is told of other problems');
    const report = fsckMedia(this.#media);
    assert(report.ok === (late.problemsAndStop.length === 0), 'fsck and replay do not agree');
  }

  close(): void {}

  #tree(): FileTree {
    const tree = new FileTree(this.#superblock, Log.open(this.#media, this.#superblock), {
      allocation: newAllocationMap(this.#superblock),
    });
    tree.replay();
    return tree;
  }

  /** @returns the slots in use after each record */
  #fill(annex: Uint8Array, random: Random): number[] {
    const seed = recordSeed(UUIDS.fileSystem);
    const ends: number[] = [];
    let slot = 0;
    for (let seqnum = 0, count = 1 + random.below(MOST_RECORDS); seqnum < count; seqnum++) {
      const base = random.once(30) ? random.below(20) : this.#entries;
      const record = encodeRecordOf(anyChange(random), {
        seqnum,
        base,
        when: { seconds: seqnum, nanoseconds: 0 },
        seed,
      });
      if (random.once(12)) spoil(record, random, seed);
      annex.set(record, annexSlotOffset(slot));
      slot += record.length / 64;
      ends.push(slot);
    }
    return ends;
  }
}

function anyChange(random: Random): AnnexChange {
  const ino = () => random.pick([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2 ** 32, 2 ** 32 + random.below(12), 99]);
  const directory = () => random.pick([1, 1, 2, 3, 4, 5, 9, 6, 77]);
  const name = random.pick(names);
  const place = { directory: directory(), name };
  const replaced = random.once(3) ? ino() : 0;
  const move = { ino: ino(), ...place, newDirectory: directory(), newName: random.pick(names) };
  const target = random.pick([null, 'a', '../..', '/etc/passwd']);
  const ownership = { mode: random.below(2 ** 32), uid: random.below(2 ** 32), gid: 0 };
  return random.pick<AnnexChange>([
    { kind: 'bind', ino: ino(), ...place, replaced },
    { kind: 'unbind', ino: ino(), ...place },
    { kind: 'rename', ...move, replaced },
    { kind: 'rename', ...move, replaced: 0 },
    { kind: 'exchange', ...move, other: ino() },
    { kind: 'make', ...place, target, ...ownership, replaced },
    { kind: 'attributes', ino: ino(), ...ownership },
    {
      kind: 'times',
      ino: ino(),
      mtime: { seconds: -random.below(2 ** 40), nanoseconds: random.below(2 ** 32) },
    },
    {
      kind: 'xattr',
      ino: ino(),
      name: random.pick(['user.a', 'user.', 'trusted.x']),
      value: new Uint8Array(random.below(300)),
    },
    { kind: 'replace', ino: ino(), content: ino() },
  ]);
}

/** Changes a byte of a record; half of the times its crc is right again. */
function spoil(record: Uint8Array, random: Random, seed: number): void {
  record[random.below(record.length)] = random.below(256);
  if (random.once(2)) return;
  const view = new DataView(record.buffer);
  const { nameLength, newNameLength, valueLength } = annexRecordLayout.fields;
  const bytes = [nameLength, newNameLength, valueLength].reduce(
    (sum, { offset }) => sum + view.getUint32(offset, true),
    0,
  );
  const end = Math.min(record.length, annexRecordLayout.size + bytes);
  view.setUint32(0, crc32(record.subarray(8, end), seed), true);
  view.setUint32(4, 0, true);
}

/** All names with what they mean. No directory may lie in itself, and no name may lead out. */
function walked(tree: FileTree): string {
  const rows: string[] = [];
  const above = new Set<number>();
  const below = (directory: number, path: string): void => {
    assert(!above.has(directory) && above.size < 100, 'directories lie in a circle');
    above.add(directory);
    for (const { name, ino } of tree.entries(directory)) {
      assert(
        name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name),
        `a name leads out: ${JSON.stringify(name)}`,
      );
      assert(tree.child(directory, name) === ino, `${path}/${name} is listed, and means something else`);
      const { type, size, mode, nlink } = tree.stat(ino);
      assert(nlink > 0, `${path}/${name} has no name`);
      rows.push(
        `${path}/${name} ${ino} ${type} ${size} ${mode} ${nlink} ${tree.linkTarget(ino)} ${tree.contentOf(ino)}`,
      );
      if (type === 'directory') below(ino, `${path}/${name}`);
      else if (type === 'file') tree.fmap(ino);
    }
    above.delete(directory);
  };
  below(1, '');
  return rows.sort().join('\n');
}

export const annexTarget: Target = new AnnexTarget();
