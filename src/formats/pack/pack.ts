/** Packs a directory of this host into a zip or tar archive whose members can be seen where they lie (VolumeFile.member()). */
import fs from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { type ArchiveWriter, type NewMember, TarWriter, ZipWriter } from '../../archives/index.js';
import type { Volume } from '../../famfs/index.js';
import {
  abortSignal,
  asDaxError,
  callback,
  checkArguments,
  closeDescriptor,
  either,
  fail,
  integer,
  objectWith,
  oneOf,
  optional,
  options as optionsOf,
  text,
  throwIfAborted,
} from '../../libc/index.js';
import { hostTarget, type PackTarget, volumeTarget } from './target.js';
import { type PackItem, reasonOf, type Skipped, treeBelow } from './tree.js';

/** Files up to this size are read at once, before their header is written. */
const WHOLE_BYTES = 4 * 2 ** 20;
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/** How an archive is packed. */
export interface PackOptions {
  /** Default: what the name of the archive ends in. */
  format?: 'zip' | 'tar';
  /** Permission bits of an archive on a volume, default 0o644. */
  mode?: number;
  /** Aborting ends it with an AbortError, and leaves nothing. */
  signal?: AbortSignal;
  /** Called as bytes are packed: how many so far, of all, and of which file. */
  onProgress?: (done: { bytes: number; totalBytes: number; path: string }) => void;
  /** Is told what cannot be packed: sockets, pipes, unreadable files. The rest is packed. */
  onSkipped?: (what: { path: string; code: string; message: string }) => void;
}

/** What was packed, and the space that it takes. */
export interface PackResult {
  files: number;
  directories: number;
  /** Symbolic links, and (tar) further names of files. */
  links: number;
  /** Bytes of the files, and of the archive. */
  bytes: number;
  archiveBytes: number;
  skipped: number;
}

/**
 * Packs all that is in a directory. Members are stored, and begin at multiples of 4 KiB of the archive, so that they can be mapped; any
 * reader of zip or tar reads it. The archive appears when it is whole.
 * @param destination a path of this host (a file there is replaced), or a volume and a path on it
 * @throws DaxError ENOENT, ENOTDIR the directory; EINVAL no format; EIO a big file changed while it was packed; as
 *   Volume.createWriteStream(). AbortError
 */
export async function packDirectory(
  directory: string,
  destination: string | { volume: Volume; path: string },
  options: PackOptions = {},
): Promise<PackResult> {
  checkArguments('packDirectory', [directory, destination, options], {
    directory: text,
    destination: either(text, onVolume),
    options: packOptions,
  });
  const path = typeof destination === 'string' ? destination : destination.path;
  const format = options.format ?? formatOf(path);
  const packing = new Packing(options);
  const items = packing.plan(directory, path, typeof destination === 'string');
  const bytes = plannedBytes(items, writerOf(format));
  const target =
    typeof destination === 'string'
      ? hostTarget(path)
      : volumeTarget(destination.volume, path, bytes, options.mode ?? 0o644);
  try {
    const result = await packing.pack(items, writerOf(format), target);
    throwIfAborted(options.signal);
    await target.commit();
    return result;
  } finally {
    target.end();
  }
}

const onVolume = optionsOf({ volume: objectWith('a Volume', 'createWriteStream', 'statfs'), path: text });
const packOptions = optional(
  optionsOf({
    format: optional(oneOf('zip', 'tar')),
    mode: optional(integer()),
    signal: optional(abortSignal),
    onProgress: optional(callback),
    onSkipped: optional(callback),
  }),
);

function formatOf(path: string): 'zip' | 'tar' {
  if (/\.zip$/i.test(path)) return 'zip';
  if (/\.tar$/i.test(path)) return 'tar';
  return fail('EINVAL', `${path} ends in neither .zip nor .tar: name the format`, { path });
}

function writerOf(format: 'zip' | 'tar'): ArchiveWriter {
  return format === 'zip' ? new ZipWriter() : new TarWriter();
}

/** The bytes of the archive if nothing changes meanwhile. */
function plannedBytes(items: readonly PackItem[], writer: ArchiveWriter): number {
  let at = 0;
  for (const item of items) {
    const member: NewMember = { ...item, size: dataSizeOf(item), crc32: 0 };
    at += writer.begin(member, at).length;
    if (item.type === 'file' || !writer.hasHardLinks) at += member.size;
    at += writer.after(item.type === 'file' ? member.size : 0).length;
  }
  return at + writer.finish(at).length;
}

function dataSizeOf({ type, size, target }: PackItem): number {
  if (type === 'symlink') return Buffer.byteLength(target!);
  return type === 'file' ? size : 0;
}

/** One archive in the making. */
class Packing {
  readonly #options: PackOptions;
  readonly #result: PackResult = {
    files: 0,
    directories: 0,
    links: 0,
    bytes: 0,
    archiveBytes: 0,
    skipped: 0,
  };
  /** tar: the first name of each file that has several. */
  readonly #first = new Map<string, string>();
  readonly #piece = Buffer.allocUnsafe(WHOLE_BYTES);
  /** What is written is gathered here, so that small members make no small writes. */
  readonly #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #totalBytes = 0;

  constructor(options: PackOptions) {
    this.#options = options;
  }

  /** What is to be packed. The archive itself, where it is replaced, is not. */
  plan(directory: string, destination: string, isOfHost: boolean): PackItem[] {
    const old = isOfHost ? fs.statSync(destination, { bigint: true, throwIfNoEntry: false }) : undefined;
    const isOld = ({ dev, ino }: fs.BigIntStats) => old !== undefined && dev === old.dev && ino === old.ino;
    const items = [...treeBelow(directory.replace(/(?<=.)\/+$/, ''), isOld, (what) => this.#skip(what))];
    for (const { type, size } of items) if (type === 'file') this.#totalBytes += size;
    return items;
  }

  #skip(what: Skipped): void {
    this.#result.skipped++;
    this.#options.onSkipped?.(what);
  }

  async pack(items: readonly PackItem[], writer: ArchiveWriter, target: PackTarget): Promise<PackResult> {
    for (const item of items) {
      throwIfAborted(this.#options.signal);
      if (item.type === 'file') await this.#file(item, writer, target);
      else this.#other(item, writer);
      if (this.#pendingBytes >= WHOLE_BYTES) await this.#flush(target);
    }
    this.#put(writer.finish(this.#result.archiveBytes));
    await this.#flush(target);
    return this.#result;
  }

  #other(item: PackItem, writer: ArchiveWriter): void {
    if (item.type === 'directory') this.#result.directories++;
    else this.#result.links++;
    const data = item.type === 'symlink' ? Buffer.from(item.target!) : Buffer.alloc(0);
    const member: NewMember = { ...item, size: data.length, crc32: crc32(data) };
    this.#put(writer.begin(member, this.#result.archiveBytes));
    // zip has the target of a link as its data, tar in its header.
    if (!writer.hasHardLinks) this.#put(data);
  }

  async #file(item: PackItem, writer: ArchiveWriter, target: PackTarget): Promise<void> {
    const first = item.identity === undefined ? undefined : this.#first.get(item.identity);
    if (first !== undefined) {
      this.#put(
        writer.begin(
          { ...item, type: 'hardlink', target: first, size: 0, crc32: 0 },
          this.#result.archiveBytes,
        ),
      );
      this.#result.links++;
      return;
    }
    let fd: number;
    try {
      fd = openFile(item.path);
    } catch (error) {
      this.#skip(reasonOf(item.path, error));
      return;
    }
    try {
      const { size } = fs.fstatSync(fd);
      if (size <= WHOLE_BYTES) this.#smallFile(fd, item, writer);
      else await this.#bigFile(fd, size, item, writer, target);
    } finally {
      closeDescriptor(fd);
    }
    if (item.identity !== undefined && writer.hasHardLinks) this.#first.set(item.identity, item.name);
    this.#result.files++;
    this.#options.onProgress?.({ bytes: this.#result.bytes, totalBytes: this.#totalBytes, path: item.path });
  }

  /** A file is packed as it is when it is read: it may have grown since it was listed. */
  #smallFile(fd: number, item: PackItem, writer: ArchiveWriter): void {
    const size = readUpTo(fd, this.#piece, 0, item.path);
    if (size === WHOLE_BYTES && size !== fs.fstatSync(fd).size) changed(item.path);
    const data = Buffer.from(this.#piece.subarray(0, size));
    this.#put(writer.begin({ ...item, size, crc32: crc32(data) }, this.#result.archiveBytes));
    this.#put(data);
    this.#put(writer.after(size));
    this.#result.bytes += size;
  }

  /** Where the header has the crc, the file is read twice. */
  async #bigFile(
    fd: number,
    size: number,
    item: PackItem,
    writer: ArchiveWriter,
    target: PackTarget,
  ): Promise<void> {
    const before = writer.needsCrc ? await this.#eachPiece(fd, size, item, async () => {}) : 0;
    this.#put(writer.begin({ ...item, size, crc32: before }, this.#result.archiveBytes));
    await this.#flush(target);
    const after = await this.#eachPiece(fd, size, item, async (piece) => {
      await target.write(piece);
      this.#result.archiveBytes += piece.length;
      this.#result.bytes += piece.length;
      this.#options.onProgress?.({
        bytes: this.#result.bytes,
        totalBytes: this.#totalBytes,
        path: item.path,
      });
    });
    if (writer.needsCrc && after !== before) changed(item.path);
    this.#put(writer.after(size));
  }

  /** @returns the crc of all pieces */
  async #eachPiece(fd: number, size: number, { path }: PackItem, use: (piece: Uint8Array) => Promise<void>) {
    let crc = 0;
    for (let at = 0; at < size; ) {
      throwIfAborted(this.#options.signal);
      const wanted = this.#piece.subarray(0, Math.min(WHOLE_BYTES, size - at));
      if (readUpTo(fd, wanted, at, path) < wanted.length) changed(path);
      crc = crc32(wanted, crc);
      await use(wanted);
      await nextTurn();
      at += wanted.length;
    }
    return crc;
  }

  #put(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#result.archiveBytes += bytes.length;
  }

  async #flush(target: PackTarget): Promise<void> {
    const bytes = Buffer.concat(this.#pending);
    this.#pending.length = 0;
    this.#pendingBytes = 0;
    if (bytes.length > 0) await target.write(bytes);
    await nextTurn();
  }
}

function openFile(path: string): number {
  const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (fs.fstatSync(fd).isFile()) return fd;
  closeDescriptor(fd);
  return fail('EINVAL', 'it is no regular file any more', { path });
}

/** Reads until the buffer is full or the file ends. @returns how many bytes */
function readUpTo(fd: number, into: Uint8Array, position: number, path: string): number {
  let done = 0;
  try {
    while (done < into.length) {
      const bytes = fs.readSync(fd, into, done, into.length - done, position + done);
      if (bytes === 0) break;
      done += bytes;
    }
  } catch (error) {
    throw asDaxError(error, `reading ${path}`, path);
  }
  return done;
}

function changed(path: string): never {
  return fail('EIO', `${path} changed while it was packed: nothing was packed; try again`, { path });
}
