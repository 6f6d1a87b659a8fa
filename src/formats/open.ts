/** Opens a file of a volume and reads its header: the file stays mapped until close(). */
import type { Volume, VolumeFile } from '../famfs/index.js';
import { checkArguments, objectWith, text } from '../libc/index.js';
import { type Arrow, readArrow } from './arrow/arrow.js';
import { type Gguf, readGguf } from './gguf.js';
import { type Npy, readNpy } from './npy.js';
import { type Npz, readNpz } from './npz.js';
import { readSafetensors, type Safetensors } from './safetensors.js';
import { type ByteSource, type FormatOptions, fileSource, formatOptions } from './source.js';

/**
 * Maps a safetensors file of a volume, read-only. Views live until close() of the result (or of the volume), as docs/lifetimes.md
 * has it. A file over 4 GiB is mapped tensor by tensor.
 * @throws DaxError as Volume.open(), VolumeFile.map() and parseSafetensors()
 */
export function openSafetensors(volume: Volume, path: string, options: FormatOptions = {}): Safetensors {
  return open('openSafetensors', readSafetensors, volume, path, options);
}

/** As openSafetensors(), for GGUF. @throws DaxError as Volume.open(), VolumeFile.map() and parseGguf() */
export function openGguf(volume: Volume, path: string, options: FormatOptions = {}): Gguf {
  return open('openGguf', readGguf, volume, path, options);
}

/** As openSafetensors(), for npy. @throws DaxError as Volume.open(), VolumeFile.map() and parseNpy() */
export function openNpy(volume: Volume, path: string, options: FormatOptions = {}): Npy {
  return open('openNpy', readNpy, volume, path, options);
}

/** As openSafetensors(), for npz. @throws DaxError as Volume.open(), VolumeFile.map() and parseNpz() */
export function openNpz(volume: Volume, path: string, options: FormatOptions = {}): Npz {
  return open('openNpz', readNpz, volume, path, options);
}

/** As openSafetensors(), for Arrow IPC. @throws DaxError as Volume.open(), VolumeFile.map() and parseArrow() */
export function openArrow(volume: Volume, path: string, options: FormatOptions = {}): Arrow {
  return open('openArrow', readArrow, volume, path, options);
}

const volumeLike = objectWith('a Volume', 'open', 'superblock');

function open<T>(
  name: string,
  read: (source: ByteSource, allowCopy: boolean) => T,
  volume: Volume,
  path: string,
  options: FormatOptions,
): T {
  checkArguments(name, [volume, path, options], { volume: volumeLike, path: text, options: formatOptions });
  const file: VolumeFile = volume.open(path);
  try {
    return read(fileSource(file, options.name), options.allowCopy ?? false);
  } catch (error) {
    file.close();
    throw error;
  }
}
