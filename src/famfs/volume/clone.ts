import { fail } from '../../libc/index.js';
import type { MountedFamfs } from './mounted.js';
import { find } from './names.js';
import { newName } from './new-name.js';

/** See Volume.clone. */
export function cloneFile(mounted: MountedFamfs, source: string, destination: string): void {
  mounted.session(() => {
    const { tree } = mounted;
    const { ino, logPath } = find(tree, source);
    if (tree.isDirectory(ino)) {
      fail('EISDIR', `/${logPath} is a directory: only files are cloned`, { path: source });
    }
    const { size, mode, uid, gid } = tree.stat(ino);
    const fmap = tree.fmap(ino);
    const { logPath: path } = newName(tree, destination);
    mounted.assertLogRoom(1);
    mounted.append({ kind: 'file', path, size, mode, uid, gid, fmap });
  });
}
