import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DaxError } from '../../libc/index.js';

/**
 * The transcripts of the conformance kit: those that are scored, then the hazards.
 * @throws DaxError ENOENT where udax was installed as a package: the kit is in its repository only
 */
export function kitTranscripts(): string[] {
  // As far up from src/lab/replay as from dist/lab/replay.
  const directory = fileURLToPath(new URL('../../../conformance/dax', import.meta.url));
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
