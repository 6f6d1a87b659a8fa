import { join } from 'node:path';
import { makeDirectories } from '../../libc/index.js';
import { mountFamfsAt } from '../../mounts/index.js';
import { endAnyway, MountRecords } from '../../mounts/serving.js';
import type { Context } from '../context.js';

/** The mount that `up` keeps while it runs. */
export interface Mounted {
  end(): Promise<void>;
}

/** Mounts the volume at ROOT/mnt and prints the path. Where FUSE is not allowed, prints why and returns null. */
export async function mountWhereAllowed(context: Context, device: string): Promise<Mounted | null> {
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
    context.output.note(`its files are at ${directory}, for any program (FUSE)`);
    return {
      async end() {
        await endAnyway(mount, (why) => context.output.note(why));
        record.remove();
      },
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    context.output.note(`not mounted: ${why}`);
    return null;
  }
}
