import { closeSync, openSync } from 'node:fs';
import { ANSWERED_LATER } from '../../../dist/fuse/index.js';

/** A file system with one file, `a`, whose writes another thread carries out: on the file of `data.target`, in two pieces. */
export function createFileSystem({ target }, host) {
  const fd = openSync(target, 'r+');
  const time = { seconds: 1, nanoseconds: 0 };
  const attributes = (node) => ({
    inode: node,
    mode: node === 1 ? 0o40755 : 0o100666,
    size: node === 1 ? 0 : 100,
    links: 1,
    uid: 0,
    gid: 0,
    atime: time,
    mtime: time,
    ctime: time,
  });
  return {
    lookup: (_parent, name) => {
      if (name !== 'a') throw Object.assign(new Error('no'), { code: 'ENOENT', errno: -2 });
      return { node: 2, attributes: attributes(2), entrySeconds: 1, attributeSeconds: 1 };
    },
    getattr: (node) => ({ attributes: attributes(node), attributeSeconds: 1 }),
    open: () => ({ handle: 1, directIo: true }),
    write: (_node, _handle, offset, data, { unique }) => {
      const bytes = new Uint8Array(data);
      const half = bytes.length >> 1;
      const pieces = [
        { offset: offset + 50, length: half },
        { offset, length: bytes.length - half },
      ];
      host.writeLater({ unique, fd: data[0] === 0x21 ? 999_999 : fd, bytes, pieces });
      return ANSWERED_LATER;
    },
    release: () => {},
    destroy: () => closeSync(fd),
  };
}
