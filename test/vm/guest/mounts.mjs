// FUSE mounts that the agent serves.
import fs from 'node:fs';
import { mountFamfsAt } from 'udax/mounts';

const mounts = new Map();

export async function mount(device, at) {
  mounts.set(at, await mountFamfsAt(device, at, { settleMilliseconds: 0 }));
}

export async function unmount(at) {
  await mounts.get(at).unmount();
  mounts.delete(at);
}

/** fsync(2) of a file or directory. Asynchronous: it may be this process that serves it. */
export async function sync(path) {
  const file = await fs.promises.open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
