import {
  addressOf,
  codeOf,
  DaxError,
  type DeviceCalls,
  FUSE_DEV_IOC_BACKING_CREATE,
} from '../../libc/index.js';
import {
  encodeBackingCreate,
  encodeBackingMap,
  encodeBackingRemove,
  encodeInvalInode,
  printBackingCreate,
  printReply,
} from '../protocol/index.js';
import type { FuseMapExtent, NodeId } from '../types.js';

/**
 * Dax devices and extent maps that a file system hands to the kernel (Linux 7.4). All calls are made by the thread that serves
 * requests, also from inside a request, and the kernel's answer is there when they return: none of them waits for a request.
 *
 * Ids of devices and maps are one name space. remove() drops the id only: what is open or mapped through it goes on. An id that is
 * removed between the answer to an OPEN and the kernel's use of it fails that open, so remove() belongs to the RELEASE.
 */
export interface FuseBackings {
  /**
   * Gives the kernel a dax device that is bound to fsdev_dax. The descriptor may be closed afterwards. The mount holds the device from
   * now on, until the mount and all that is open or mapped through it are gone. It is also the only proof that extent maps work here.
   * @throws DaxError EINVAL the kernel has no extent maps, or the device is bound to another driver; ENOTTY the same, before Linux 6.9;
   *   EPERM no CAP_SYS_RAWIO; EBUSY another mount holds the device
   */
  create(fd: number, deviceId: bigint): void;
  /** @throws DaxError EIO an extent breaks a rule (misaligned, overlap); EEXIST the id is in use; EINVAL too many extents */
  map(id: number, deviceId: bigint, extents: readonly FuseMapExtent[]): void;
  /** @throws DaxError ENOENT there is no such id */
  remove(id: number): void;
  /** NOTIFY_INVAL_INODE of the whole inode. The kernel forgets which pages it was mapped to. @returns false when it has no such inode */
  invalidate(node: NodeId): boolean;
}

/** Sends backings over the descriptor of a session. */
export class DeviceBackings implements FuseBackings {
  readonly #deviceFd: number;
  readonly #calls: Pick<DeviceCalls, 'write' | 'ioctl' | 'errno'>;
  readonly #onWire: ((line: string) => void) | undefined;

  constructor(
    deviceFd: number,
    calls: Pick<DeviceCalls, 'write' | 'ioctl' | 'errno'>,
    onWire?: (line: string) => void,
  ) {
    this.#deviceFd = deviceFd;
    this.#calls = calls;
    this.#onWire = onWire;
  }

  create(fd: number, deviceId: bigint): void {
    const argument = encodeBackingCreate(fd, deviceId);
    const address = addressOf(argument.buffer as ArrayBuffer);
    const result = this.#calls.ioctl(this.#deviceFd, FUSE_DEV_IOC_BACKING_CREATE, address);
    const errno = result < 0 ? this.#calls.errno() : 0;
    this.#onWire?.(printBackingCreate(argument, errno));
    if (errno !== 0)
      throw new DaxError(codeOf(errno), 'the kernel refused the dax device', { syscall: 'ioctl' });
  }

  map(id: number, deviceId: bigint, extents: readonly FuseMapExtent[]): void {
    this.#notify(encodeBackingMap(BigInt(id), deviceId, extents), `the kernel refused the map ${id}`);
  }

  remove(id: number): void {
    this.#notify(encodeBackingRemove(BigInt(id)), `the kernel has no backing ${id} to remove`);
  }

  invalidate(node: NodeId): boolean {
    const errno = this.#send(encodeInvalInode(node, 0, 0));
    if (errno !== 0 && codeOf(errno) !== 'ENOENT')
      throw new DaxError(codeOf(errno), `the kernel did not drop the pages of node ${node}`);
    return errno === 0;
  }

  #notify(message: Uint8Array, failure: string): void {
    const errno = this.#send(message);
    if (errno !== 0) throw new DaxError(codeOf(errno), failure, { syscall: 'write' });
  }

  /** @returns 0 or an errno */
  #send(message: Uint8Array): number {
    this.#onWire?.(printReply(message));
    const address = addressOf(message.buffer as ArrayBuffer);
    const sent = this.#calls.write(this.#deviceFd, address, message.byteLength);
    return sent < 0 ? this.#calls.errno() : 0;
  }
}
