import fs from 'node:fs';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { prepareAssets, type VmAssets } from './assets.js';
import { removeStaleDirectories, runDirectory } from './directories.js';

declare module 'vitest' {
  interface ProvidedContext {
    vm: VmAssets;
  }
}

/** Runs once: finds a kernel, makes the archive that the VMs boot from, and passes both to the test files. */
export default function setup(project: TestProject): () => void {
  if (!fs.existsSync(path.resolve(import.meta.dirname, '../../../dist/index.js'))) {
    throw new Error('the VMs run the built package: npm run build first (npm run test:vm does)');
  }
  removeStaleDirectories();
  const directory = runDirectory();
  const assets = prepareAssets(directory);
  if (assets.reason !== '') console.log(`test/vm: all tests are skipped: ${assets.reason}`);
  project.provide('vm', assets);
  return () => fs.rmSync(directory, { recursive: true, force: true });
}
