import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const directory = fileURLToPath(new URL('../../../shared/conformance/dax', import.meta.url));

/** Transcript files of the shared conformance data: none where it is absent. */
export function sharedTranscripts(folder = ''): string[] {
  const here = folder ? `${directory}/${folder}` : directory;
  if (!existsSync(here)) return [];
  return readdirSync(here)
    .filter((name) => name.endsWith('.json'))
    .map((name) => `${here}/${name}`);
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/dax/${name}`, import.meta.url));
}
