/**
 * Incident: under a true FUSE mount a step that failed crashed the process (the ledger of addresses, the end of a session), left
 * holder files and dead mounts, let a mount wait 20 s for an INIT that had been refused, and lost files that an unmount could not publish. Right:
 * full unwind, and the error of the step. This is the short form of those rows of proof/faults.
 */
import { describe, expect, it } from 'vitest';
import { because, noMounts } from '../mounts/support.js';
import { builtTool } from './support.js';

describe.skipIf(noMounts !== '')(`a step that fails under a FUSE mount${because}`, () => {
  const faults = builtTool('faults');

  it.each(['FUSE mount', 'FUSE mount, its worker', 'FUSE unmount', 'FUSE unmount, its worker'])(
    '%s: full unwind, and nothing is left',
    { timeout: 600_000 },
    async (operation) => {
      const { report } = await faults('--short', '--json', '--operation', operation);
      expect(report.findings).toEqual([]);
      expect(report.rows[0]!.figures['faults tried']).toBeGreaterThan(10);
    },
  );
});
