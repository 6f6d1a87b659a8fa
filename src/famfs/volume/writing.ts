/** Makes files from bytes of this process, or from a stream. A file appears when it is whole. */
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fail, isBytes } from '../../libc/index.js';
import type { CopySource } from './copy-source.js';
import { GrowingFile } from './growing-file.js';
import type { MountedFamfs } from './mounted.js';
import { ownerOf } from './name-rules.js';
import type { WriteOptions } from './types.js';

const DEFAULT_FILE_MODE = 0o644;

/** The content for writeFile(): bytes, or an iterable of bytes, such as a stream of Node or of the web. */
export type FileContent = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Bytes of this process as a source for copyFileIn(). */
export function bytesSource(bytes: Uint8Array, path: string): CopySource {
  return {
    path,
    size: bytes.length,
    mode: DEFAULT_FILE_MODE,
    readFully: (into, position) => into.set(bytes.subarray(position, position + into.length)),
    close() {},
  };
}

/** See Volume.createWriteStream. */
export function openWriteStream(
  mounted: MountedFamfs,
  path: string,
  options: WriteOptions,
  { check, published }: { check: () => void; published: () => void },
): Writable {
  const { mode = DEFAULT_FILE_MODE } = options;
  const file = new GrowingFile(mounted, path, {
    mode,
    ...ownerOf(options),
    replace: options.replace ?? false,
  });
  return new Writable({
    objectMode: true,
    // Bytes are written straight to their final place, so buffering would gain nothing.
    highWaterMark: 1,
    ...(options.signal && { signal: options.signal }),
    write(chunk: unknown, _encoding, done) {
      done(
        failureOf(() => {
          // A closed volume must fail the write, so that the stream ends and gives the space back.
          check();
          file.write(checkedBytes(chunk, path), file.size);
        }),
      );
    },
    final(done) {
      done(
        failureOf(() => {
          check();
          file.publish();
          published();
        }),
      );
    },
    destroy(error, done) {
      failureOf(() => file.end());
      done(error);
    },
  });
}

/** Pours `content` into a new file. */
export async function pour(
  content: Exclude<FileContent, Uint8Array>,
  into: Writable,
  signal: AbortSignal | undefined,
): Promise<void> {
  const source = content instanceof Readable ? content : Readable.from(content, { objectMode: true });
  await pipeline(source, into, { ...(signal && { signal }) });
}

function checkedBytes(chunk: unknown, path: string): Uint8Array {
  if (isBytes(chunk)) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk);
  return fail('EINVAL', `${path} is made of Uint8Arrays (or text): wrap the buffer of another array in one`, {
    path,
  });
}

function failureOf(act: () => void): Error | null {
  try {
    act();
    return null;
  } catch (error) {
    return error as Error;
  }
}
