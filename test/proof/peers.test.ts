// The suites of other file systems that are Debian packages, on a FUSE mount: all of them pass. proof/peers has the rest.
import { describe, expect, it } from 'vitest';
import { suites } from '../../proof/peers/suites.js';
import { noMounts } from '../mounts/support.js';
import { builtTool } from './support.js';

const MINUTE = 60_000;
const packaged = suites.filter(({ name }) => name === 'stress-ng' || name === 'fio');

describe('tests that others made for file systems', () => {
  const peers = builtTool('peers');

  for (const suite of packaged) {
    const why = noMounts || suite.missing(undefined) || '';
    const title = `those of ${suite.name} pass on a mount${why && ` (skipped: ${why})`}`;
    it.skipIf(why !== '')(title, { timeout: 15 * MINUTE }, async () => {
      const { code, report } = await peers(suite.name);
      expect({ code, findings: report.findings }).toEqual({ code: 0, findings: [] });
      expect(report.rows.length).toBeGreaterThan(0);
      for (const { what, figures } of report.rows)
        expect({ what, ...figures }).toMatchObject({ passed: figures.run });
    });
  }
});
