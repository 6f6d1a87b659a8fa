import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** The conformance kit of this repository. conformance/README.md describes its content and how it was recorded. */
export const conformance = fileURLToPath(new URL('../../conformance', import.meta.url));

/** The transcripts of a folder of the kit (`dax`, `dax/hazard`), with full paths, sorted. Fails when there are none. */
export function transcripts(folder: string): string[] {
  const files = readdirSync(join(conformance, folder))
    .filter((name) => name.endsWith('.json.gz'))
    .sort()
    .map((name) => join(conformance, folder, name));
  if (files.length === 0) throw new Error(`conformance/${folder} holds no transcripts`);
  return files;
}

/** `region` of `.../region.json.gz`. */
export function nameOf(file: string): string {
  return basename(file, '.json.gz');
}

/** A file of the kit, uncompressed. */
export function kitBytes(...path: string[]): Buffer {
  const bytes = readFileSync(join(conformance, ...path));
  return path.at(-1)!.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

export function kitJson<T>(...path: string[]): T {
  return JSON.parse(kitBytes(...path).toString('utf8')) as T;
}
