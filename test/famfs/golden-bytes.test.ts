// Media made by udax have the same bytes that C writes for the same operations.
import { describe, expect, it } from 'vitest';
import {
  Allocator,
  bufferMedia,
  type Fmap,
  formatMedia,
  Log,
  LogAppender,
  type Media,
  type NewLogEntry,
  newAllocationMap,
  readSuperblock,
  type Stripe,
} from '../../src/famfs/index.js';
import { type GoldenEntry, golden, goldenEntries, storedBytes } from './golden.js';

/** A medium formatted with the image's uuids. */
function formatLike(name: string): Media {
  const { device_size, full_len, log_len, decoded_by_c } = golden(name);
  const { uuid, dev_uuid, system_uuid, dd_daxdev } = decoded_by_c.superblock as Record<string, string>;
  const media = bufferMedia(new Uint8Array(full_len), { name: dd_daxdev!, size: device_size });
  const uuids = { fileSystem: uuid!, device: dev_uuid! };
  formatMedia(media, { systemUuid: system_uuid!, logLength: log_len, uuids });
  return media;
}

/** il_NN_bBUCKETS_sSTRIPS_cCHUNKm: how the generator of image 05 named its files. */
function stripeOf(path: string): Stripe | undefined {
  const match = /^il_\d+_b(\d+)_s(\d+)_c(\d+)m$/.exec(path);
  if (match === null) return undefined;
  const [, nbuckets, nstrips, chunk] = match.map(Number);
  return { nbuckets: nbuckets!, nstrips: nstrips!, chunkSize: chunk! * 2 ** 20 };
}

/** The bucket order that C drew: the buckets of the file's strips, then the rest. */
function bucketOrder(entry: GoldenEntry, stripe: Stripe, deviceSize: number): number[] {
  const unit = 2 ** 21;
  const bucketBytes = Math.floor(deviceSize / unit / stripe.nbuckets) * unit;
  const drawn = (entry.strips ?? []).map(([, offset]) => Math.floor(offset / bucketBytes));
  const rest = Array.from({ length: stripe.nbuckets }, (_, i) => i).filter((i) => !drawn.includes(i));
  return [...drawn, ...rest];
}

function givenFmap(entry: GoldenEntry): Fmap {
  const list = (entry.extents ?? entry.strips)!;
  const extents = list.map(([devindex, offset, length]) => ({ devindex, offset, length }));
  if (entry.ext_type === 0) return { type: 'simple', extents };
  return { type: 'interleaved', nstrips: entry.nstrips, chunkSize: entry.chunk_size, extents };
}

/** Performs the image's operations; with `given`, files take the extents of the image. */
function replayOperations(name: string, media: Media, given: (entry: GoldenEntry) => boolean): void {
  const superblock = readSuperblock(media);
  const allocator = new Allocator(superblock, newAllocationMap(superblock));
  const appender = new LogAppender(Log.open(media, superblock));
  for (const entry of goldenEntries(name)) {
    appender.append(operation(entry, allocator, given(entry), superblock.deviceSize));
  }
}

function operation(
  entry: GoldenEntry,
  allocator: Allocator,
  given: boolean,
  deviceSize: number,
): NewLogEntry {
  if (entry.kind === 'add_daxdev') {
    return { kind: 'add_daxdev', size: entry.dd_size, uuid: entry.dd_uuid, daxIndex: entry.dd_index };
  }
  const { path, uid, gid } = entry;
  const mode = Number.parseInt(entry.mode, 8);
  if (entry.kind === 'mkdir') return { kind: 'mkdir', path, uid, gid, mode };
  const { size } = entry;
  const stripe = stripeOf(path);
  const order = stripe === undefined ? undefined : bucketOrder(entry, stripe, deviceSize);
  const fmap = given ? givenFmap(entry) : allocator.allocate(size, stripe, order);
  return { kind: 'file', path, size, uid, gid, mode, fmap };
}

/** Compares the stored part byte for byte. After it both media are zero. */
function expectSameBytes(name: string, media: Media): void {
  const stored = storedBytes(name);
  const ours = Buffer.from(media.bytes(0, stored.length));
  const firstDifference = ours.equals(stored) ? -1 : ours.findIndex((byte, i) => byte !== stored[i]);
  expect(firstDifference).toBe(-1);
}

const images = [
  { name: '01-empty-8m', what: 'an empty file system', given: () => false },
  { name: '01b-empty-256m', what: 'an empty file system with a 256 MiB log', given: () => false },
  {
    name: '02-small-tree',
    what: 'directories and files of assorted sizes, modes, owners',
    given: () => false,
  },
  { name: '05-interleaved', what: 'interleaved files, in the bucket order C drew', given: () => false },
  { name: '06-large-15000', what: '15,000 entries', given: () => false },
  { name: '07-loglen-256m', what: '5,300 entries in a 256 MiB log', given: () => false },
  { name: '08-multi-extent', what: 'files of several extents, given', given: () => true },
  { name: '09-add-daxdev', what: 'ADD_DAXDEV entries', given: () => true },
  { name: '10-crosslinked', what: 'files that share extents, given', given: (e: GoldenEntry) => e.i > 8 },
];

describe('media made by udax are the bytes C writes', () => {
  for (const { name, what, given } of images) {
    it(`${name}: ${what}`, () => {
      const media = formatLike(name);
      replayOperations(name, media, given);
      expectSameBytes(name, media);
    });
  }
});
