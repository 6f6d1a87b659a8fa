/**
 * Reviews the public API. etc/api.md lists what 'udax' and 'udax/mounts' export, so that every change shows in its diff.
 * UDAX_UPDATE=1 writes the file again.
 */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { apiReport, reportFile, reportOnFile } from './api-report.js';

/** Types of inner layers. A user may pass them on, but need not look into them. */
const OPAQUE = ['optionalOperations', 'Bus', 'DaxDevice', 'DevDax', 'KernelDevice', 'SysfsFiles'];

describe('the public face', () => {
  it('is what etc/api.md says; everything it mentions can be named by a user', () => {
    const { text, hidden } = apiReport();
    if (process.env.UDAX_UPDATE) writeFileSync(reportFile, text);
    expect(hidden.filter((name) => !OPAQUE.includes(name.split(' ')[0]!))).toEqual([]);
    expect(text, 'reviewed? then UDAX_UPDATE=1 npx vitest run test/public/api.test.ts').toBe(reportOnFile());
  });
});
