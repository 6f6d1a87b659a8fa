/** The module that the session's worker loads. It opens the device and makes the file system over its volume. */
import { readlinkSync, statSync } from 'node:fs';
import { mountFamfsOn, type Volume } from '../../famfs/index.js';
import type { FuseFileSystem, FuseHost } from '../../fuse/index.js';
import { type MachineDevice, openDevice } from '../../machine/index.js';
import { mustNotHideMemory } from '../places.js';
import { FamfsFileSystem } from './file-system.js';
import type { FamfsMountData } from './mount.js';
import { timesOf } from './times.js';
import { openNode, type ZeroCopyDevice } from './zero-copy/door.js';
import { ZeroCopyFileSystem } from './zero-copy/file-system.js';

/** How long the worker waits for a lock. Requests of programs wait meanwhile. */
const lockWaitMs = 2000;

export function createFileSystem(data: unknown, host: FuseHost): FuseFileSystem {
  const mount = data as FamfsMountData;
  return mount.zeroCopy ? overKernelsDevice(mount, mount.zeroCopy, host) : overMemory(mount, host);
}

function overMemory(data: FamfsMountData, host: FuseHost): FuseFileSystem {
  const { root, stateDirectory, device, readOnly, xattrs, plain, settleMilliseconds } = data;
  const opened = openDevice(device, {
    root,
    stateDirectory,
    lockWaitMs,
    ...(readOnly && { writable: false }),
  });
  try {
    const volume = volumeOn(opened, data, host.mountpoint);
    const memory = memoryOf(opened);
    if (memory !== null) mustNotHideMemory(host.mountpoint, memory);
    const times = timesOf(opened.reservations, volume.superblock.uuid);
    const options = { times, settleMilliseconds, xattrs, plain };
    return new FamfsFileSystem(volume, host, () => opened.close(), options);
  } catch (error) {
    opened.close();
    throw error;
  }
}

function overKernelsDevice(
  data: FamfsMountData,
  { node, size, persistent }: ZeroCopyDevice,
  host: FuseHost,
): FuseFileSystem {
  const { stateDirectory, device, readOnly, xattrs, plain, settleMilliseconds } = data;
  mustNotHideMemory(host.mountpoint, node);
  return new ZeroCopyFileSystem(host, {
    facts: { name: device, node, size, persistent, writable: !readOnly, root: stateDirectory },
    deviceFd: openNode(node, !readOnly),
    xattrs,
    plain,
    settleMilliseconds,
    mount: (opened) => volumeOn(opened, data, host.mountpoint),
    timesOf: (opened, volume) => timesOf(opened.reservations, volume.superblock.uuid),
  });
}

function volumeOn(device: MachineDevice, data: FamfsMountData, mountpoint: string): Volume {
  const { readOnly, clientWrites, role, plain } = data;
  const purpose = `mount at ${mountpoint}`;
  return mountFamfsOn(device, { readOnly, clientWrites, plain, lockWaitMs, purpose, ...(role && { role }) });
}

/** The path of the file or device node behind the start of a device; null when it has no path. */
function memoryOf({ dax }: MachineDevice): string | null {
  const { hpa } = dax.directAccess(0, 1, 'recovery');
  const { fd } = dax.memory.locate(hpa, 1)[0]!.backing;
  const path = readlinkSync(`/proc/self/fd/${fd}`);
  // A failure of stat is thrown: the check of where the mount lies depends on the answer.
  return statSync(path, { throwIfNoEntry: false }) === undefined ? null : path;
}
