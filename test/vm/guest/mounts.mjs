// FUSE mounts that the agent serves.
import { mountFamfsAt } from 'udax/mounts';

const mounts = new Map();

export async function mount(device, at) {
  mounts.set(at, await mountFamfsAt(device, at, { settleMilliseconds: 0 }));
}

export async function unmount(at) {
  await mounts.get(at).unmount();
  mounts.delete(at);
}
