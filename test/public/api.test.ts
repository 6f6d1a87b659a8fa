/**
 * The public face is reviewed: what 'udax' and 'udax/mounts' export is written down in etc/api.md, and a change of it shows in its diff.
 * UDAX_UPDATE=1 writes the file anew.
 */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { apiReport, reportFile, reportOnFile } from './api-report.js';

/** What the layers below are made of: handed through by a user at most, never looked into. */
const OPAQUE = ['optionalOperations', 'Bus', 'DaxDevice', 'DevDax', 'KernelDevice', 'SysfsFiles'];

describe('the public face', () => {
  it('is what etc/api.md says; everything it mentions can be named by a user', () => {
    const { text, hidden } = apiReport();
    if (process.env.UDAX_UPDATE) writeFileSync(reportFile, text);
    expect(hidden.filter((name) => !OPAQUE.includes(name.split(' ')[0]!))).toEqual([]);
    expect(text, 'reviewed? then UDAX_UPDATE=1 npx vitest run test/public/api.test.ts').toBe(reportOnFile());
  });
});
