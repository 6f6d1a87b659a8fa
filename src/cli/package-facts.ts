import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../libc/index.js';

/** The version of the package, and the day on which its files were made. */
export function packageFacts(): { version: string; date: string } {
  const manifest = join(packageRoot(), 'package.json');
  const date = statSync(manifest).mtime.toISOString().slice(0, 10);
  return { version: String(JSON.parse(readFileSync(manifest, 'utf8')).version), date };
}
