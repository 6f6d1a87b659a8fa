/** A volume that processes rewrite while they are killed. */
import { fsck, type Machine, mkfs, mountFamfs, type Volume } from '../../src/index.js';
import { contentOf, KEPT, NAMES, REWRITTEN_DEVICE } from './work.js';

const LOCK_PATIENCE = { lockWaitMs: 30_000 };

export function makeRewritten(machine: Machine): void {
  machine.reconfigure(REWRITTEN_DEVICE, 'famfs');
  mkfs(machine.device(REWRITTEN_DEVICE));
  const volume = mountFamfs(machine.device(REWRITTEN_DEVICE));
  try {
    for (const name of [KEPT, NAMES[0]]) {
      const content = contentOf(KEPT);
      const file = volume.create(name, { size: content.length });
      file.write(content, 0);
      file.close();
    }
  } finally {
    volume.close();
  }
}

/** A killed rewrite is done or not done for readers at once, and nothing of it is left after the next mount of the master. @returns problems */
export function wrongRewritten(machine: Machine): string[] {
  const device = machine.device(REWRITTEN_DEVICE);
  const seen = [{ readOnly: true }, {}].map((options) => {
    const volume = mountFamfs(device, { ...options, ...LOCK_PATIENCE });
    try {
      return { uuid: volume.superblock.uuid, problems: wrongIn(volume) };
    } finally {
      volume.close();
    }
  });
  const { errors, notes } = fsck(device);
  return [
    ...seen.flatMap(({ problems }) => problems),
    ...(seen[0]!.uuid === seen[1]!.uuid
      ? []
      : ['a killed rewrite: a reader and the master saw different file systems']),
    ...[...errors, ...notes].map(({ message }) => `after a killed rewrite: ${message}`),
  ];
}

function wrongIn(volume: Volume): string[] {
  const names = [...volume.walk('/')].map(({ path }) => path).sort();
  const one = NAMES.filter((name) => names.includes(name));
  if (one.length !== 1 || names.join() !== [one[0]!, KEPT].sort().join())
    return [`a killed rewrite left ${names.join(' ')}`];
  const content = contentOf(KEPT);
  return names.flatMap((name) => {
    const file = volume.open(name);
    try {
      const found = Buffer.alloc(file.size);
      file.read(found, 0);
      const isRight =
        found.subarray(0, content.length).equals(content) &&
        found.subarray(content.length).every((byte) => byte === 0);
      return isRight ? [] : [`a killed rewrite left other bytes in ${name}`];
    } finally {
      file.close();
    }
  });
}
