import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { writeInitramfs } from './initramfs.js';
import { findKernel, findKernelOf, type PackagedKernel } from './kernel.js';
import { newerTools } from './newer-tools.js';

/** The files that all VMs of a run boot from. */
export interface VmAssets {
  /** Why no VM can be booted here; '' when one can. */
  readonly reason: string;
  /** `uname -r` of the VMs. */
  readonly release: string;
  readonly kernel: string;
  readonly initramfs: string;
}

/** The kernels that tests run on: the distribution's own, the newest that is backported, and one with extent maps in FUSE. */
export type KernelName = 'own' | 'backported' | 'extent-maps';

/** The first kernel whose FUSE takes dax devices and extent maps. */
const EXTENT_MAPS_SINCE = '7.4';

/** Makes the assets in a directory, or says why it cannot. Takes a second, and downloads 27 to 60 MB the first time on a machine. */
export function prepareAssets(directory: string, name: KernelName): VmAssets {
  const none = { release: '', kernel: '', initramfs: '' };
  const missing = whyNot();
  if (missing !== '') return { reason: missing, ...none };
  try {
    const kernel = kernelCalled(name);
    const initramfs = path.join(directory, `initramfs-${name}.cpio`);
    writeInitramfs(kernel, initramfs, name === 'own' ? null : newerTools());
    return { reason: '', release: kernel.release, kernel: kernel.image, initramfs };
  } catch (error) {
    return { reason: `no kernel to boot: ${error instanceof Error ? error.message : error}`, ...none };
  }
}

function kernelCalled(name: KernelName): PackagedKernel {
  if (name === 'own') return findKernel();
  if (name === 'backported') return findKernelOf('trixie-backports', '7.3');
  const faults: string[] = [];
  for (const suite of ['sid', 'experimental', 'trixie-backports']) {
    try {
      return findKernelOf(suite, EXTENT_MAPS_SINCE);
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(faults.join('; '));
}

function whyNot(): string {
  if (process.arch !== 'x64') return `the VMs are x86_64, this machine is ${os.machine()}`;
  const needed: Record<string, string> = {
    'qemu-system-x86_64': 'qemu-system-x86',
    busybox: 'busybox-static',
    ndctl: 'ndctl',
    daxctl: 'daxctl',
    depmod: 'kmod',
    'dpkg-deb': 'dpkg',
    'apt-get': 'apt',
  };
  const missing = Object.keys(needed).filter((program) => !have(program));
  if (missing.length > 0) return `not installed: ${missing.map((program) => needed[program]).join(', ')}`;
  const busybox = spawnSync('sh', ['-c', 'ldd "$(command -v busybox)"'], { encoding: 'utf8' });
  return busybox.status === 0 ? 'busybox is not the static one: install busybox-static' : '';
}

function have(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}
