import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DaxError, packageRoot } from '../../libc/index.js';

/**
 * Finds the transcripts of the conformance kit: the scored ones, then the hazards.
 * @throws DaxError ENOENT udax was installed as a package: only its repository has the kit
 */
export function kitTranscripts(): string[] {
  const directory = join(packageRoot(), 'conformance/dax');
  return [...transcriptsIn(directory), ...transcriptsIn(join(directory, 'hazard'))];
}

function transcriptsIn(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.json.gz'));
    return names.sort().map((name) => join(folder, name));
  } catch (cause) {
    throw new DaxError(
      'ENOENT',
      `there are no transcripts at ${folder}: they are in udax' repository and not in its package; name a transcript`,
      { path: folder, cause },
    );
  }
}
