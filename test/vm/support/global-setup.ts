import fs from 'node:fs';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { type KernelName, prepareAssets, type VmAssets } from './assets.js';
import { removeStaleDirectories, runDirectory } from './directories.js';

declare module 'vitest' {
  interface ProvidedContext {
    vm: Record<KernelName, VmAssets>;
  }
}

/** Runs once: finds the kernels, makes the archives that the VMs boot from, and passes all to the test files. */
export default function setup(project: TestProject): () => void {
  if (!fs.existsSync(path.resolve(import.meta.dirname, '../../../dist/index.js'))) {
    throw new Error('the VMs run the built package: npm run build first (npm run test:vm does)');
  }
  removeStaleDirectories();
  const directory = runDirectory();
  const assets = {
    own: prepareAssets(directory, 'own'),
    backported: prepareAssets(directory, 'backported'),
    'extent-maps': prepareAssets(directory, 'extent-maps'),
  };
  for (const [name, { reason }] of Object.entries(assets))
    if (reason !== '') console.log(`test/vm: tests on the ${name} kernel are skipped: ${reason}`);
  project.provide('vm', assets);
  return () => fs.rmSync(directory, { recursive: true, force: true });
}
