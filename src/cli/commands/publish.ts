import { statSync } from 'node:fs';
import { isDeviceName } from '../../machine/index.js';
import { publishMount } from '../../mounts/index.js';
import { MountRecords } from '../../mounts/serving.js';
import type { Context } from '../context.js';
import { withVolume } from '../opening.js';
import { count } from '../output/human.js';

/** `udax publish` */
export async function publish(context: Context, [where = '']: string[]): Promise<void> {
  if (isDirectory(where)) {
    await publishMount(where);
    context.show({ mounts: [where] }, () => `${where}: all that is closed is published`);
    return;
  }
  withVolume(context, where, { readOnly: false }, (volume) => volume.publish());
  const mounts = new MountRecords(context.root)
    .list()
    .filter(({ kind, what }) => kind === 'famfs' && what === where)
    .map(({ mountpoint }) => mountpoint);
  for (const mountpoint of mounts) await publishMount(mountpoint);
  context.show({ device: where, mounts }, () => {
    const done =
      mounts.length === 0 ? 'told all mounts of this host' : `published ${count(mounts.length, 'mount')}`;
    return `${where}: ${done}`;
  });
}

function isDirectory(where: string): boolean {
  return !isDeviceName(where) && (statSync(where, { throwIfNoEntry: false })?.isDirectory() ?? false);
}
