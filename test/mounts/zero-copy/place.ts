import fs from 'node:fs';
import path from 'node:path';
import { mountFamfsOn, systemUuid, type Volume } from '../../../src/famfs/index.js';
import { fsck, mkfs } from '../../../src/famfs-device.js';
import { openDevice } from '../../../src/machine/index.js';
import { ZeroCopyFileSystem } from '../../../src/mounts/famfs/zero-copy/file-system.js';
import { MapKernel } from './kernel.js';

export const MIB = 2 ** 20;
const LOG = { offset: 2 * MIB, length: 8 * MIB };

export interface ServeOptions {
  readOnly?: boolean;
  role?: 'master' | 'client';
  settleMilliseconds?: number;
  init?: Uint8Array<ArrayBuffer>;
}

/** A device, its files, and the servers of it in this process, with the modelled kernel. All of it ends with the test. */
export class ZeroCopyPlace {
  readonly directory = fs.mkdtempSync('/dev/shm/udax-zero-copy-');
  readonly root = path.join(this.directory, 'state');
  readonly device = path.join(this.directory, 'device');
  readonly #kernels: MapKernel[] = [];

  /** Makes the device, and files with the library. */
  constructor(bytes = 64 * MIB, make: (volume: Volume) => void = () => {}) {
    fs.mkdirSync(this.root);
    fs.writeFileSync(this.device, '');
    fs.truncateSync(this.device, bytes);
    mkfs(this.device, { systemUuid: systemUuid(this.root) });
    this.withVolume(make);
    this.#copyLog('device', 'log', LOG.offset, 0);
  }

  /** The volume as the library opens it on the device itself, while nothing serves it. */
  withVolume<T>(use: (volume: Volume) => T): T {
    const opened = openDevice(this.device, { stateDirectory: this.root, root: this.root });
    const volume = mountFamfsOn(opened, {});
    try {
      return use(volume);
    } finally {
      volume.close();
      opened.close();
    }
  }

  /** Starts a server of the device. */
  serve({ readOnly = false, role, settleMilliseconds = 0, init }: ServeOptions = {}): MapKernel {
    const kernel = new MapKernel(this.directory);
    this.#kernels.push(kernel);
    const size = fs.statSync(this.device).size;
    const fileSystem = new ZeroCopyFileSystem(kernel.host, {
      facts: {
        name: 'dax0.0',
        node: this.device,
        size,
        persistent: false,
        writable: !readOnly,
        root: this.root,
      },
      deviceFd: fs.openSync(this.device, 'r+'),
      xattrs: true,
      settleMilliseconds,
      mount: (device) => mountFamfsOn(device, { readOnly, ...(role && { role }) }),
      timesOf: () => ({ seconds: 1, nanoseconds: 0 }),
    });
    kernel.mount(fileSystem, init);
    return kernel;
  }

  /** Publishes a file as the master does, on another host that shares the memory: past the server here. */
  publishAside(name: string, content: string): void {
    const bytes = Buffer.from(content);
    const offset = this.aside((volume) => {
      volume.create(`/${name}`, {
        size: bytes.length,
        fill: (into, at) => into.set(bytes.subarray(at, at + into.length)),
      });
      return volume.inodes.fmap(volume.stat(`/${name}`).ino).extents[0]!.offset;
    });
    const fd = fs.openSync(this.device, 'r+');
    fs.writeSync(fd, bytes, 0, bytes.length, offset);
    fs.closeSync(fd);
  }

  /** Changes the log past the server. Data that it stores stays aside. */
  aside<T>(use: (volume: Volume) => T): T {
    const aside = path.join(this.directory, 'aside');
    fs.copyFileSync(this.device, aside);
    this.#copyLog('log', 'aside', 0, LOG.offset);
    const opened = openDevice(aside, { stateDirectory: this.root, root: this.root });
    const volume = mountFamfsOn(opened, {});
    try {
      return use(volume);
    } finally {
      volume.close();
      opened.close();
      this.#copyLog('aside', 'log', LOG.offset, 0);
    }
  }

  /** Ends all servers, and gives the log back to the device. @returns what fsck says then */
  end(): string[] {
    for (const kernel of this.#kernels.splice(0)) kernel.end();
    this.#copyLog('log', 'device', 0, LOG.offset);
    return fsck(this.device).errors.map(({ message }) => message);
  }

  remove(): void {
    for (const kernel of this.#kernels.splice(0)) kernel.end();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  #copyLog(from: string, to: string, fromOffset: number, toOffset: number): void {
    const bytes = Buffer.alloc(LOG.length);
    const source = fs.openSync(path.join(this.directory, from), 'r');
    const target = fs.openSync(
      path.join(this.directory, to),
      fs.existsSync(path.join(this.directory, to)) ? 'r+' : 'w+',
    );
    fs.readSync(source, bytes, 0, LOG.length, fromOffset);
    fs.writeSync(target, bytes, 0, LOG.length, toOffset);
    fs.closeSync(source);
    fs.closeSync(target);
  }
}
