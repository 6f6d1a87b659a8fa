// What the kernel itself answers on the device: mmap(2) and read(2), without udax between, but for its system calls.
import fs from 'node:fs';
import * as libc from '../dist/libc/index.js';

const kinds = { shared: libc.MAP_SHARED, private: libc.MAP_PRIVATE };

/** 'mapped', or the errno name. */
export function tryMmap(device, { offset = 0, length, kind = 'shared', atOffset = 0 }) {
  const fd = fs.openSync(device, 'r+');
  try {
    const reserved = atOffset === 0 ? 0 : reserve(length);
    const address = reserved === 0 ? 0 : reserved + atOffset;
    const flags = kinds[kind] | (address === 0 ? 0 : libc.MAP_FIXED);
    const at = libc.mmap(address, length, libc.PROT_READ | libc.PROT_WRITE, flags, fd, offset);
    libc.munmap(at, length);
    return 'mapped';
  } catch (error) {
    return error.code;
  } finally {
    fs.closeSync(fd);
  }
}

function reserve(length) {
  const flags = libc.MAP_PRIVATE | libc.MAP_ANONYMOUS | libc.MAP_NORESERVE;
  const at = libc.mmap(0, length + 2 ** 23, libc.PROT_NONE, flags, -1, 0);
  return Math.ceil(at / 2 ** 21) * 2 ** 21;
}

/** The errno names that read(2) and write(2) of the device answer. */
export function tryCalls(device) {
  const fd = fs.openSync(device, 'r+');
  const codeOf = (act) => {
    try {
      return act();
    } catch (error) {
      return error.code;
    }
  };
  try {
    const bytes = Buffer.alloc(4096);
    return { read: codeOf(() => fs.readSync(fd, bytes)), write: codeOf(() => fs.writeSync(fd, bytes)) };
  } finally {
    fs.closeSync(fd);
  }
}

/** Fills the beginning of a device with bytes that are not zero. */
export function scribble(device, length) {
  const fd = fs.openSync(device, 'r+');
  const at = libc.mmap(0, length, libc.PROT_READ | libc.PROT_WRITE, libc.MAP_SHARED, fd, 0);
  const bytes = Buffer.alloc(2 ** 20, 0xa5);
  for (let done = 0; done < length; done += bytes.length)
    libc.memcpy(at + done, libc.addressOf(bytes), bytes.length);
  libc.munmap(at, length);
  fs.closeSync(fd);
}
