import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../libc/index.js';

const SAMPLE = 'udax/LICENSE';

/**
 * Three things to try, commands that can be typed in any directory, and one in Python where there is one that is new enough.
 * @param udax how this program is called, with its root
 * @param directory where the volume is mounted; null: it is not
 */
export function nextSteps(udax: string, root: string, device: string, directory: string | null): string[] {
  const steps =
    directory === null
      ? [
          `${udax} ls -lR ${device}:/`,
          `${udax} cat ${device}:/${SAMPLE} | head -3`,
          `${udax} cp -r YOUR-DATA ${device}:/`,
        ]
      : [`ls -lR ${quoted(directory)}`, `head -3 ${quoted(join(directory, SAMPLE))}`, `${udax} top`];
  return hasPython() ? [...steps, pythonStep(root)] : steps;
}

/** Prints the first line of a file from the shared memory itself: no mount, no Node. */
function pythonStep(root: string): string {
  const program = `import udax; print(udax.open_volume(${JSON.stringify(root)}).open("/${SAMPLE}").buffer()[:60].tobytes().decode().strip())`;
  return `PYTHONPATH=${quoted(join(packageRoot(), 'clients/python/src'))} python3 -c ${quoted(program)}`;
}

function hasPython(): boolean {
  const script = 'import sys; sys.exit(sys.version_info < (3, 9))';
  return spawnSync('python3', ['-c', script], { timeout: 20_000 }).status === 0;
}

/** Quotes a word for a shell. */
export function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
