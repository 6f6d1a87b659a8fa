import fs from 'node:fs';
import { join } from 'node:path';
import { hasCode, makeCharacterNode } from '../../libc/index.js';
import type { Sysfs } from '../../tree/index.js';

/**
 * Keeps the nodes /dev/daxR.N of a private mount namespace equal to the devices of a machine. Tools check with lstat that the node
 * exists and is a device; they do not open it. The namespace's /dev is mounted nodev.
 */
export class DeviceNodes {
  readonly #sysfs: Sysfs;
  readonly #dev: string;
  #known = new Set<string>();

  /** @param dev the namespace's /dev as this process sees it: /proc/PID/root/dev */
  constructor(sysfs: Sysfs, dev: string) {
    this.#sysfs = sysfs;
    this.#dev = dev;
  }

  /** Must be called before a change of the tree is answered: tools look for the node right after it. */
  sync(): void {
    const names = new Set(this.#sysfs.readdir('bus/dax/devices'));
    try {
      for (const name of this.#known) if (!names.has(name)) this.#remove(name);
      for (const name of names) if (!this.#known.has(name)) this.#add(name);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error; // the namespace has ended, and its nodes with it
    }
    this.#known = names;
  }

  #add(name: string): void {
    this.#remove(name);
    const { major, minor, mode } = this.#sysfs.deviceNode(name);
    makeCharacterNode(join(this.#dev, name), mode, { major, minor });
  }

  #remove(name: string): void {
    fs.rmSync(join(this.#dev, name), { force: true });
  }
}
