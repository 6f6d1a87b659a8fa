/** Which ways to one copy of a file this host has (docs/zero-copy.md). */
import { spawnSync } from 'node:child_process';
import { probeExtentMaps } from '../../fuse/index.js';
import type { KernelStatus } from '../../machine/index.js';
import { preloadLibrary } from '../preload.js';
import type { Finding } from './finding.js';

export function preload(): Finding {
  const subject = 'udax run';
  try {
    const { from } = preloadLibrary();
    return {
      subject,
      verdict: 'ok',
      found: `${from}/linux-${process.arch}, checksum right`,
      meaning: 'dynamically linked programs map files of a mount without a copy: udax run -- CMD',
    };
  } catch (error) {
    return {
      subject,
      verdict: 'limited',
      found: error instanceof Error ? error.message : String(error),
      meaning: 'programs map files of a mount by way of the page cache, a copy',
    };
  }
}

/** The Python package runs where there is a Python that is new enough. */
export function pythonPackage(): Finding {
  const subject = 'Python';
  const script = 'import sys; print(*sys.version_info[:2])';
  const { status, stdout } = spawnSync('python3', ['-c', script], { encoding: 'utf8', timeout: 20_000 });
  const [major = 0, minor = 0] = status === 0 ? stdout.split(' ').map(Number) : [];
  const meaning =
    'clients/python reads volumes without a mount: buffers and numpy arrays over the memory itself';
  if (major === 0) return { subject, verdict: 'limited', found: 'no python3', meaning };
  const found = `python3 is ${major}.${minor}`;
  const isNewEnough = major > 3 || (major === 3 && minor >= 9);
  return isNewEnough
    ? { subject, verdict: 'ok', found, meaning }
    : { subject, verdict: 'limited', found: `${found}, and 3.9 is needed`, meaning };
}

/** Whether `udax mount` can hand a device to the kernel. Only root can ask the kernel itself; others go by its release. */
export function zeroCopyMounts({ release, drivers, devices }: KernelStatus, isLive: boolean): Finding {
  const subject = 'zero-copy mounts';
  const limited = (found: string, meaning: string): Finding => ({
    subject,
    verdict: 'limited',
    found,
    meaning,
  });
  const copies =
    'udax mount serves files through copies in the page cache; the library maps the memory itself on any kernel';
  if (!isLive) return limited('another tree than /sys', 'only the running kernel can have them');
  const isRoot = process.geteuid?.() === 0;
  const offered = isRoot ? isOffered() : null;
  if (offered === false || (offered === null && !isAtLeast(release, 7, 4)))
    return limited(`not in Linux ${release}: extent maps of FUSE came with 7.4`, copies);
  if (devices.length === 0) return limited('this kernel offers extent maps, and has no dax device', copies);
  if (!isRoot) return limited(`Linux ${release} should have them`, 'they need root (CAP_SYS_RAWIO)');
  if (!drivers.includes('fsdev_dax'))
    return limited('no fsdev_dax driver', 'modprobe fsdev_dax; without it a device cannot go to famfs mode');
  const meaning = 'udax mount hands the device to the kernel: every program maps its memory, without copies';
  return { subject, verdict: 'ok', found: 'this kernel offers extent maps', meaning };
}

/** Null when it cannot be asked. */
function isOffered(): boolean | null {
  try {
    return probeExtentMaps().isOffered;
  } catch {
    return null;
  }
}

function isAtLeast(release: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = release.split(/[.-]/).map(Number);
  return a > major || (a === major && b >= minor);
}
