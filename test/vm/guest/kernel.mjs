// The VM's own dax bus, through udax: methods of one KernelMachine that stays open, and raw mappings of its devices.
import { spawnSync } from 'node:child_process';
import { daxctlListOf, mkfs, mountFamfs, openKernel } from 'udax';

const NOBODY = 65534;
const kernel = openKernel();
let opened;

/** A method of the machine. @throws what it throws */
export const perform = (method, ...args) => kernel[method](...args) ?? null;

/** As `udax --kernel list` prints it. */
export const list = (options) => daxctlListOf(kernel.sysfs, options);

/** Mounts the file system of a node, and says what it has in its root. @throws ENXIO not in devdax mode */
export function namesOn(node) {
  const volume = mountFamfs(node);
  try {
    return volume.readdir('/');
  } finally {
    volume.close();
  }
}

/** Makes a file system on a device by its name, and a file. The node is closed when this returns. */
export function filesOn(name) {
  mkfs(kernel.device(name), { force: true });
  const volume = mountFamfs(kernel.device(name));
  try {
    volume.create('/made', { size: 4096 }).close();
    return volume.readdir('/');
  } finally {
    volume.close();
  }
}

/** Opens a device raw, and writes a text into it. */
export function openAndWrite(name, offset, text) {
  opened ??= kernel.openDax(name);
  const view = opened.mmap({ offset, length: 2 ** 21 });
  view.set(Buffer.from(text));
  return { size: opened.size, bytes: view.length };
}

/** What an mmap of the opened device says to an offset and a length. */
export function mapped(offset, length) {
  return opened.mmap({ offset, length }).length;
}

export function closeRaw() {
  opened?.close();
  opened = undefined;
}

/** What nobody.mjs prints, run as that user. */
export function asNobody(node) {
  const script = new URL('nobody.mjs', import.meta.url).pathname;
  const { stdout, stderr } = spawnSync(process.execPath, [script, node], {
    encoding: 'utf8',
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/tmp',
    env: { ...process.env, HOME: '/tmp/nobody' },
  });
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout);
}
