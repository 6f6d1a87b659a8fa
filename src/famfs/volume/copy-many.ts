/**
 * Copies many host files onto a volume. Small ones are read by the batch, and published under one hold of the log: what one file costs
 * is then its own system calls, and the entry. Each appears when it is whole, in the order given, as with copyFileIn().
 */
import fs from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { asDaxError, closeDescriptor, fail, hasCode, SmallReader, throwIfAborted } from '../../libc/index.js';
import { openSource } from './copy-source.js';
import { copyFileIn, type NewFile, publishFiles, refuseDirectoryName } from './creation.js';
import { report } from './events.js';
import type { MountedFamfs } from './mounted.js';
import { ownerOf, permissions } from './name-rules.js';
import type { CopyManyOptions, FileCopy } from './types.js';

/** A larger file is copied by itself. */
const SMALL_BYTES = 2 ** 16;
/** One batch: the bytes that are read ahead, and the entries under one hold of the log, half a millisecond. */
const BATCH_BYTES = 2 ** 20;
const BATCH_FILES = 64;

const { O_RDONLY, O_NONBLOCK, S_IFMT, S_IFREG } = fs.constants;

interface ReadFile extends NewFile {
  readonly copy: FileCopy;
}

/** See Volume.copyManyIn. @param check throws when the volume went away meanwhile */
export async function copyFilesIn(
  mounted: MountedFamfs,
  copies: Iterable<FileCopy> | AsyncIterable<FileCopy>,
  options: CopyManyOptions,
  check: () => void,
): Promise<void> {
  const batch = new Batch(mounted, options, check);
  // Most files are only read, and wait for nothing: `for await` alone would cost as much as that.
  if (Symbol.asyncIterator in copies) for await (const copy of copies) await batch.add(copy);
  else {
    for (const copy of copies) {
      const wait = batch.add(copy);
      if (wait !== undefined) await wait;
    }
  }
  await batch.publish();
}

function checkPaths({ source, destination }: FileCopy): void {
  if (typeof source === 'string' && typeof destination === 'string') return;
  fail('EINVAL', 'a copy is told as { source, destination }: the path of a host file, and one of the volume');
}

class Batch {
  readonly #mounted: MountedFamfs;
  readonly #options: CopyManyOptions;
  readonly #check: () => void;
  readonly #owner: { uid: number; gid: number };
  readonly #reader = new SmallReader(BATCH_BYTES);
  #files: ReadFile[] = [];
  readonly #paths = new Set<string>();
  #used = 0;

  constructor(mounted: MountedFamfs, options: CopyManyOptions, check: () => void) {
    this.#mounted = mounted;
    this.#options = options;
    this.#check = check;
    this.#owner = ownerOf(options);
  }

  /** Takes one more copy. @returns what to wait for before the next one */
  add(copy: FileCopy): Promise<void> | undefined {
    throwIfAborted(this.#options.signal);
    checkPaths(copy);
    const isFull = this.#files.length === BATCH_FILES || this.#used > BATCH_BYTES - SMALL_BYTES;
    if (isFull || this.#paths.has(copy.destination)) return this.publish().then(() => this.add(copy));
    try {
      return this.#read(copy) ? undefined : this.#attempt(copy, () => this.#copyNext(copy));
    } catch (error) {
      return this.#failed(copy, error);
    }
  }

  /** Copies a file that is not small, behind those before it. */
  async #copyNext(copy: FileCopy): Promise<void> {
    await this.publish();
    await this.#copyAlone(copy);
  }

  /** Does something for one file. Its failure goes to the caller of the copy, who may go on. */
  async #attempt(copy: FileCopy, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      await this.#failed(copy, error);
    }
  }

  async #failed(copy: FileCopy, error: unknown): Promise<void> {
    const { onFailure, signal } = this.#options;
    // What was given before it comes before it.
    await this.publish();
    if (onFailure === undefined || signal?.aborted) throw error;
    onFailure(copy, error as Error);
  }

  /** Reads a small file. @returns false: it is copied by itself. @throws DaxError as openSource() */
  #read(copy: FileCopy): boolean {
    const { source, destination } = copy;
    refuseDirectoryName(destination);
    const fd = openFile(source);
    try {
      const { mode, size } = this.#reader.stat(fd, source);
      if ((mode & S_IFMT) !== S_IFREG || size === 0 || size > SMALL_BYTES) return false;
      const at = this.#used;
      this.#reader.read(fd, source, { at, length: size });
      const { stripe } = this.#options;
      this.#files.push({
        copy,
        path: destination,
        bytes: this.#reader.bytes.subarray(at, at + size),
        mode: permissions(copy.mode ?? this.#options.mode ?? mode & 0o777, destination),
        ...this.#owner,
        ...(stripe && { stripe }),
      });
      this.#paths.add(destination);
      this.#used += size;
      return true;
    } finally {
      closeDescriptor(fd);
    }
  }

  /** Publishes what was read, in its order. */
  async publish(): Promise<void> {
    const files = this.#files;
    this.#files = [];
    this.#paths.clear();
    const { signal } = this.#options;
    for (let next = 0; next < files.length; ) {
      throwIfAborted(signal);
      const rest = files.slice(next);
      const { published, problem } = await this.#mounted.sessionLater(
        () => publishFiles(this.#mounted, rest),
        signal,
      );
      // Failed memory is good again once it is overwritten. This check of the device tells the other processes.
      this.#check();
      for (const { copy, bytes } of rest.slice(0, published)) this.#copied(copy, bytes.length);
      next += published;
      if (problem === undefined) continue;
      const { copy } = files[next++]!;
      await this.#attempt(copy, async () => {
        // Something has the name. What to do then is the same as for one file.
        if (!hasCode(problem, 'EEXIST')) throw problem;
        await this.#copyAlone(copy);
      });
    }
    this.#used = 0;
    if (files.length > 0) await nextTurn();
  }

  /** Copies one file as copyIn() does. */
  async #copyAlone(copy: FileCopy): Promise<void> {
    const { mode, destination } = copy;
    const { onCopied: _copied, onFailure: _failure, ...rest } = this.#options;
    const options = { ...rest, ...(mode !== undefined && { mode }) };
    let bytes = 0;
    const open = () => {
      const source = openSource(copy.source);
      bytes = source.size;
      return source;
    };
    await copyFileIn(this.#mounted, open, destination, options, this.#check);
    this.#copied(copy, bytes);
  }

  #copied(copy: FileCopy, bytes: number): void {
    report('create', () => ({ path: copy.destination, device: this.#mounted.device.name }));
    this.#options.onCopied?.(copy, bytes);
  }
}

function openFile(path: string): number {
  try {
    // Without O_NONBLOCK the open of a fifo would block.
    return fs.openSync(path, O_RDONLY | O_NONBLOCK);
  } catch (error) {
    throw asDaxError(error, `cannot read ${path}`, path);
  }
}
