/** npz: npy files in a zip archive. Stored ones (`numpy.savez`) can be seen where they lie; deflated ones cannot. */
import { zipEntries } from '../archives/index.js';
import { checkArguments } from '../libc/index.js';
import { readArray } from './npy.js';
import {
  type ByteSource,
  bufferSource,
  type FormatBytes,
  type FormatOptions,
  formatBytes,
  formatOptions,
  partOf,
  shownName,
  unsupported,
} from './source.js';
import { type AnyTensor, TensorFile } from './tensor.js';

const STORED = 0;
const SUFFIX = '.npy';

/** An npz file. */
export class Npz extends TensorFile {
  /** Names of entries that are no npy files. */
  readonly otherEntries: readonly string[];

  /** @internal parseNpz() and openNpz() make them. */
  constructor(source: ByteSource, tensors: ReadonlyMap<string, AnyTensor>, otherEntries: readonly string[]) {
    super(source, tensors);
    this.otherEntries = otherEntries;
  }
}

/**
 * Reads the directory of an npz file and the headers of its arrays, which are views of the given bytes. NumPy puts the arrays at any
 * byte: most are seen as `bytes`, or copied with `allowCopy`.
 * @throws DaxError EINVAL no zip; EBADMSG damaged (byte and reason named); EOPNOTSUPP deflated or encrypted entries; as parseNpy()
 */
export function parseNpz(bytes: FormatBytes, options: FormatOptions = {}): Npz {
  checkArguments('parseNpz', [bytes, options], { bytes: formatBytes, options: formatOptions });
  return readNpz(bufferSource(bytes, options.name), options.allowCopy ?? false);
}

export function readNpz(source: ByteSource, allowCopy: boolean): Npz {
  const tensors = new Map<string, AnyTensor>();
  const others: string[] = [];
  for (const { name: entry, method, byteOffset, byteLength } of zipEntries(source)) {
    if (!entry.endsWith(SUFFIX)) {
      others.push(entry);
      continue;
    }
    if (method !== STORED) {
      unsupported(
        source,
        `the entry ${shownName(entry)} is compressed (zip method ${method})`,
        'store it: numpy.savez() instead of savez_compressed()',
      );
    }
    const name = entry.slice(0, -SUFFIX.length);
    const part = partOf(source, `${source.name}: ${entry.slice(0, 200)}`, byteOffset, byteLength);
    tensors.set(name, readArray(part, name, allowCopy));
  }
  return new Npz(source, tensors, others);
}
