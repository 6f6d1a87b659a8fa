/** Arenas: which files are some, and what is in one. */
// From the file: the layer's interface is what the package exports.
import { surveyArena } from '../../arena/survey.js';
import { mountFamfsOn } from '../../famfs/index.js';
import { isError } from '../../libc/index.js';
import type { ArenaView } from '../wire.js';
import type { AnyMachine, Looked } from './looked.js';
import { extentsOf, shownPath } from './paths.js';

const MAGIC = 'UDAXARNA';
/** An arena has more than its header's page. */
const LEAST_BYTES = 4096;
const MOST_LOOKED_AT = 20_000;
const MOST_OBJECTS = 1000;

/** Paths of the files that begin as an arena does, among the first 20,000 that are long enough. */
export function arenasOf(looked: Looked): string[] {
  const { tree, removed } = looked.survey;
  const found: string[] = [];
  let left = MOST_LOOKED_AT;
  for (let ino = 2; ino < tree.nextIndex + 2 && left > 0; ino++) {
    if (!tree.has(ino) || removed.has(ino) || tree.stat(ino).size <= LEAST_BYTES) continue;
    const first = extentsOf(tree, ino)?.fmap.extents[0];
    if (first === undefined || first.devindex !== 0) continue;
    left--;
    if (beginsAsArena(looked, first.offset)) found.push(shownPath(looked, ino));
  }
  return found;
}

function beginsAsArena({ survey }: Looked, offset: number): boolean {
  try {
    return Buffer.from(survey.read(offset, MAGIC.length)).toString('latin1') === MAGIC;
  } catch (error) {
    // Bytes that an image does not have, or failed memory: no arena that could be shown.
    if (isError(error)) return false;
    throw error;
  }
}

/**
 * What is in an arena. Its file is mapped for this, which needs the volume mounted, read-only, for the few milliseconds of the look.
 * @throws DaxError ENOENT; EINVAL no arena; EBADMSG; EBUSY somebody has the device alone
 */
export function arenaOf(machine: AnyMachine, device: string, path: string, prefix: string): ArenaView {
  const opened = machine.device(device);
  try {
    const volume = mountFamfsOn(opened, { readOnly: true, role: 'client', purpose: 'inspect' });
    try {
      const { stats, objects, isCut } = surveyArena(volume, path, { prefix, limit: MOST_OBJECTS });
      const { heap, used, reserved, limbo, free, slots, eviction, members } = stats;
      return { path, objects, isCut, heap, used, reserved, limbo, free, slots, eviction, members };
    } finally {
      volume.close();
    }
  } finally {
    opened.close();
  }
}
