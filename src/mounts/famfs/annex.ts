import type { GrowingFile, Volume, VolumeInodes } from '../../famfs/index.js';
import type { Shown, Times } from './attributes.js';

/** One name in a directory of the volume. */
export interface VolumeEntry {
  readonly name: string;
  readonly ino: number;
  readonly type: Shown['type'];
  /** Unique and ascending in its directory. */
  readonly place: number;
}

export interface AnnexVerbs {
  unlink(directory: number, name: string): void;
  rmdir(directory: number, name: string): void;
  rename(
    directory: number,
    name: string,
    target: number,
    to: string,
    flags: { noReplace: boolean; exchange: boolean },
  ): void;
  link(ino: number, directory: number, name: string): void;
  readlink(ino: number): string;
  setxattr(ino: number, name: string, value: Uint8Array): void;
  removexattr(ino: number, name: string): void;
  getxattr(ino: number, name: string): Uint8Array | undefined;
  listxattr(ino: number): string[];
  regrow(ino: number, keep?: number): GrowingFile;
}

export function annexOf({ inodes }: Volume): AnnexVerbs {
  return inodes as VolumeInodes & AnnexVerbs;
}

export function shownOf(volume: Volume, ino: number): Shown {
  return { links: 1, times: null, ...volume.inodes.stat(ino) };
}

export function setAttributes(
  _volume: Volume,
  _ino: number,
  _change: { mode: number | undefined; uid: number | undefined; gid: number | undefined },
): void {}

export function setTimes(_volume: Volume, _ino: number, _times: Times): void {}

export function hasAnnexFile(_volume: Volume): boolean {
  return false;
}

export function* entriesIn(volume: Volume, directory: number): Iterable<VolumeEntry> {
  const { inodes } = volume;
  for (const ino of inodes.children(directory))
    yield {
      name: inodes.nameOf(ino),
      ino,
      type: inodes.isDirectory(ino) ? 'directory' : 'file',
      place: ino + 1,
    };
}
