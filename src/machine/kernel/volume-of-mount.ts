import fs from 'node:fs';
import path from 'node:path';
import { bufferMedia, type Fmap, filePieces, readSuperblock, superblockLayout } from '../../famfs/index.js';
import { fuseMountAt } from '../../fuse/index.js';
import { asDaxError, closeDescriptor, fail, hasCode } from '../../libc/index.js';
import { kernelDeviceOf } from './describe.js';
import { MountedDevice } from './mounted-device.js';

export interface OfMountOptions {
  /** State directory of this host. */
  readonly root: string;
  readonly writable?: boolean;
}

/**
 * Opens the device behind a mounted famfs whose kernel maps files to the memory itself: a zero-copy mount of udax, or the famfs of a
 * kernel that has it. All is read and mapped through files of the mount (`.meta/.superblock`, `.meta/.log`, and the files), because
 * the node of the device cannot be mapped while it is in famfs mode. The server of the mount is the only one that makes files.
 * @returns null when the directory is no such mount
 * @throws DaxError EACCES only root may read the superblock and log; EBADMSG, EINVAL no famfs
 */
export function openMountedDevice(directory: string, options: OfMountOptions): MountedDevice | null {
  const superblockPath = path.join(directory, '.meta', '.superblock');
  if (!isThere(superblockPath)) return null;
  const flags = options.writable === false ? 'r' : 'r+';
  const open: number[] = [];
  const opened = (file: string): number => {
    const fd = openFile(file, flags);
    open.push(fd);
    return fd;
  };
  try {
    const fd = opened(superblockPath);
    const bytes = new Uint8Array(superblockLayout.size);
    fs.readSync(fd, bytes, 0, bytes.length, 0);
    const size = sizeIn(bytes);
    const { logOffset, logLength } = readSuperblock(bufferMedia(bytes, { name: directory, size }));
    const node = nodeBehind(directory) ?? path.join(directory, '.meta', '.log');
    const device = new MountedDevice(
      {
        name: directory,
        node,
        size,
        persistent: kernelDeviceOf(node)?.persistent ?? false,
        writable: options.writable !== false,
        root: options.root,
        servedAt: directory,
      },
      () => open.forEach(closeDescriptor),
    );
    device.show(0, logOffset, { fd, fileStart: 0 });
    const log = opened(path.join(directory, '.meta', '.log'));
    device.show(logOffset, logLength, { fd: log, fileStart: logOffset });
    device.reach = (fmap, file) =>
      file && showFile(device, fmap, file, opened(path.join(directory, file.path)));
    return device;
  } catch (error) {
    open.forEach(closeDescriptor);
    throw error;
  }
}

/** Shows a file's extents by the file. Memory that another file shows already (a clone) is reached through that one. */
function showFile(device: MountedDevice, fmap: Fmap, { size }: { size: number }, fd: number): void {
  for (const { devindex, offset, length, address } of filePieces(fmap, size, Number.POSITIVE_INFINITY)!) {
    if (devindex === 0) device.show(address, length, { fd, fileStart: address - offset });
  }
}

function isThere(file: string): boolean {
  try {
    return fs.statSync(file).isFile();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    if (hasCode(error, 'EACCES', 'EPERM'))
      fail('EACCES', `${file} is for root alone: as another user, open the files of the mount themselves`, {
        path: file,
      });
    throw asDaxError(error, `looking for ${file}`, file);
  }
}

function openFile(file: string, flags: string): number {
  try {
    return fs.openSync(file, flags);
  } catch (error) {
    // A file that this user may only read is mapped for reading.
    if (flags === 'r+' && hasCode(error, 'EACCES', 'EROFS')) return openFile(file, 'r');
    throw asDaxError(error, `opening ${file}`, file);
  }
}

/** The device's size as the superblock says it. It is checked with all else afterwards. */
function sizeIn(bytes: Uint8Array): number {
  const at = superblockLayout.fields.deviceSize.offset;
  return Number(new DataView(bytes.buffer).getBigUint64(at, true));
}

/** The device node that a mount names as its source, if there is one. */
function nodeBehind(directory: string): string | undefined {
  const source = fuseMountAt(directory)?.source;
  if (source === undefined) return undefined;
  const node = source.startsWith('/') ? source : `/dev/${source}`;
  return fs.existsSync(node) ? node : undefined;
}
