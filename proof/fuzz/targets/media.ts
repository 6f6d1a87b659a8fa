/** Images in plain memory, for everything that reads a medium. */
import fs from 'node:fs';
import path from 'node:path';
import {
  bufferMedia,
  FileTree,
  type FsckReport,
  fsckMedia,
  interruptedTakeOver,
  Log,
  mediaState,
  newAllocationMap,
  readableLog,
  readSuperblock,
  renderFsckReport,
  replayToShadow,
  type Superblock,
} from '../../../src/famfs/index.js';
import { salvagedSuperblock } from '../../../src/famfs/media/salvage.js';
import { DEVICE_BYTES, imageOf, METADATA_BYTES, makeBases, piecesOf } from '../images.js';
import { Random } from '../random.js';
import { answered, assert, type Target } from '../target.js';

/** Replaying into a directory costs files, so only one case in so many does it. */
const SHADOW_EVERY = 64;

class MediaTarget implements Target {
  readonly name = 'media';
  readonly share = 600;
  #directory = '';
  readonly #bytes = new Uint8Array(METADATA_BYTES);

  open(directory: string): void {
    this.#directory = directory;
    makeBases();
  }

  run(recipe: readonly number[]): void {
    const head = imageOf(recipe);
    const random = new Random((recipe.at(-1) ?? 0) + 77);
    // The bytes in between stay zero: nothing writes a medium that is only read.
    for (const [at, piece] of piecesOf(head)) this.#bytes.set(piece, at);
    const size = random.pick([
      DEVICE_BYTES,
      DEVICE_BYTES,
      2 ** 33,
      METADATA_BYTES,
      16 * 2 ** 20,
      4096,
      100,
      2 ** 52,
    ]);
    const media = bufferMedia(this.#bytes, { name: 'image', size });
    answered(() => mediaState(media));
    answered(() => interruptedTakeOver(media));
    const report = answered(() => fsckMedia(media, random.once(4) ? { buckets: 1 + random.below(64) } : {}));
    if (report) answered(() => renderFsckReport(report, { human: random.once(2) }));
    const superblock = answered(() => readSuperblock(media));
    const tree = superblock && answered(() => treeOf(media, superblock));
    if (tree) walkWhole(tree);
    const salvaged = answered(() => salvagedSuperblock(media));
    if (salvaged) answered(() => salvage(media, salvaged));
    if (report?.ok) this.#agrees(report, tree);
    if (random.once(SHADOW_EVERY)) this.#shadow(media);
    for (const [at, piece] of piecesOf(head))
      assert(
        Buffer.compare(this.#bytes.subarray(at, at + piece.length), piece) === 0,
        'a medium that was only read was written',
      );
  }

  close(): void {}

  /** Where fsck finds nothing, the replay must apply everything. */
  #agrees(report: FsckReport, tree: FileTree | undefined): void {
    assert(tree !== undefined, 'fsck finds nothing, and the log cannot be replayed');
    assert(tree.stopped === null, `fsck finds nothing, and replay stops: ${tree.stopped?.message}`);
    assert(
      report.files === tree.counts.files,
      `fsck counts ${report.files} files, replay ${tree.counts.files}`,
    );
  }

  #shadow(media: ReturnType<typeof bufferMedia>): void {
    const outside = path.join(this.#directory, 'outside');
    const inside = path.join(outside, 'shadow');
    fs.rmSync(outside, { recursive: true, force: true });
    fs.mkdirSync(inside, { recursive: true });
    fs.writeFileSync(path.join(outside, 'canary'), 'here');
    const log = answered(() => readableLog(media));
    if (log) answered(() => replayToShadow(log, inside));
    assert(
      fs.readdirSync(outside).sort().join() === 'canary,shadow',
      `something lies outside: ${fs.readdirSync(outside).join()}`,
    );
    assert(fs.readFileSync(path.join(outside, 'canary'), 'utf8') === 'here', 'a file outside was written');
    assert(!fs.existsSync('/tmp/udax-escaped'), 'a name led out to /tmp/udax-escaped');
  }
}

function treeOf(media: ReturnType<typeof bufferMedia>, superblock: Superblock): FileTree {
  const log = Log.open(media, superblock);
  const tree = new FileTree(superblock, log, { allocation: newAllocationMap(superblock) });
  tree.replay();
  return tree;
}

function salvage(media: ReturnType<typeof bufferMedia>, superblock: Superblock): void {
  const tree = new FileTree(superblock, Log.at(media, superblock, { pastLosses: true }), {
    adoptsOrphans: true,
  });
  tree.replay({ pastBadEntries: true });
  walkWhole(tree);
}

/** Checks every name and map of a tree. No name may lead elsewhere. */
function walkWhole(tree: FileTree): void {
  const seen = new Set<number>();
  const below = (ino: number, depth: number): void => {
    assert(depth < 100, 'directories lie in a circle');
    assert(!seen.has(ino), 'an inode has two names');
    seen.add(ino);
    for (const child of tree.children(ino)) {
      const name = tree.nameOf(child);
      assert(
        name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name),
        `a name leads out: ${JSON.stringify(name)}`,
      );
      const wanted = ino === 1 ? name : `${tree.pathOf(ino)}/${name}`;
      assert(tree.pathOf(child) === wanted, `${tree.pathOf(child)} is below ${tree.pathOf(ino)}`);
      assert(tree.lookup(tree.pathOf(child)) === child, `${tree.pathOf(child)} leads to another inode`);
      answered(() => tree.stat(child));
      if (tree.isDirectory(child)) below(child, depth + 1);
      else answered(() => tree.fmap(child));
    }
  };
  below(1, 0);
  void tree.problems;
  void tree.notes;
}

export const mediaTarget: Target = new MediaTarget();
