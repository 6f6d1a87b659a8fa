import { OwnFiles } from '../../../dist/mounts/famfs/zero-copy/own-files.js';

/** The hidden files of a zero-copy mount alone, without a device: what is opened, released and forgotten is told to the main thread. */
export function createFileSystem(_data, host) {
  const own = new OwnFiles();
  own.add('.device', 0, 8192, true);
  const missing = () => {
    throw Object.assign(new Error('no'), { code: 'ENOENT', errno: -2 });
  };
  const root = { ...own.attributesOf(own.directory), inode: 1, mode: 0o40755, isDax: false };
  const handles = new Map();
  let next = 1;
  return {
    lookup: (parent, name, { pid }) => {
      if (parent === 1) return name === '.meta' ? own.entry() : missing();
      const file = own.named(name, pid);
      return file ? own.entry(file) : missing();
    },
    getattr: (node) => ({ attributes: node === 1 ? root : own.attributesOf(node), attributeSeconds: 60 }),
    open: (node, _flags, { pid }) => {
      const file = own.get(node);
      if (!own.mayOpen(file, pid)) missing();
      handles.set(next, file.name);
      return { handle: next++, directIo: true };
    },
    flush: () => {},
    release: (_node, handle) => host.post(`release ${handles.get(handle)}`),
    forget: (node, count) => {
      const file = own.forget(node, count);
      if (file) host.post(`forget ${file.name}`);
    },
    message: (question) => {
      if (typeof question === 'object' && 'opened' in question) {
        host.post(`opened ${question.opened}`);
        if (question.opened !== '.device') return [];
        own.add('.superblock', 0, 4096, false);
        return ['.superblock', own.add('.window.1', 0, 8192, true).name];
      }
      host.post(question);
      if (question === 'next')
        host.post({ zeroCopy: 'open', name: own.add('.window.2', 0, 8192, true).name });
      return null;
    },
  };
}
