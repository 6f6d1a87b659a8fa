import { join } from 'node:path';
import { makeDirectories } from '../../libc/index.js';
import { mountFamfsAt } from '../../mounts/index.js';
import { endAnyway, MountRecords } from '../../mounts/serving.js';
import type { Context } from '../context.js';
import { describeError } from '../errors.js';

/** The mount that `up` keeps while it runs, or why there is none. */
export type MountTried = ({ directory: string } | { directory: null; why: string }) & {
  end(): Promise<void>;
};

/** Mounts the volume at ROOT/mnt where that is allowed. */
export async function mountWhereAllowed(context: Context, device: string): Promise<MountTried> {
  const directory = join(context.root, 'mnt');
  try {
    makeDirectories(directory);
    const mount = await mountFamfsAt(device, directory, { root: context.root });
    const record = new MountRecords(context.root).add({
      kind: 'famfs',
      what: device,
      mountpoint: mount.mountpoint,
    });
    void mount.closed.then(() => record.remove());
    return {
      directory,
      async end() {
        await endAnyway(mount, (why) => context.output.note(why));
        record.remove();
      },
    };
  } catch (error) {
    const why = describeError(error, 'up', 'text', context.given)
      .trimEnd()
      .replace(/^udax: /, '');
    return { directory: null, why: why.replaceAll('\n', '; '), end: async () => {} };
  }
}
