import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { writeInitramfs } from './initramfs.js';
import { findKernel } from './kernel.js';

/** The files that all VMs of a run boot from. */
export interface VmAssets {
  /** Why no VM can be booted here; '' when one can. */
  readonly reason: string;
  /** `uname -r` of the VMs. */
  readonly release: string;
  readonly kernel: string;
  readonly initramfs: string;
}

/** Makes the assets in a directory, or says why it cannot. Takes a second, and downloads 27 MB the first time on a machine. */
export function prepareAssets(directory: string): VmAssets {
  const none = { release: '', kernel: '', initramfs: '' };
  const missing = whyNot();
  if (missing !== '') return { reason: missing, ...none };
  try {
    const kernel = findKernel();
    const initramfs = path.join(directory, 'initramfs.cpio');
    writeInitramfs(kernel, initramfs);
    return { reason: '', release: kernel.release, kernel: kernel.image, initramfs };
  } catch (error) {
    return { reason: `no kernel to boot: ${error instanceof Error ? error.message : error}`, ...none };
  }
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
