/**
 * Incident: a program that mounts and was bundled with esbuild died of an uncaught exception, because the bundle lacked the
 * worker's file. Right: the call throws a DaxError at once, which says how to bundle; and a bundle made that way works.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const checkout = resolve(import.meta.dirname, '../..');

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'udax-bundle-'));
  mkdirSync(join(directory, 'node_modules'));
  mkdirSync(join(directory, 'mnt'));
  symlinkSync(checkout, join(directory, 'node_modules/udax'));
  symlinkSync(join(checkout, 'node_modules/koffi'), join(directory, 'node_modules/koffi'));
  writeFileSync(
    join(directory, 'program.mjs'),
    `import { mountFamfsAt, mountSysfsAt } from 'udax/mounts';
     for (const mount of [() => mountFamfsAt('dax0.0', ${JSON.stringify(join(directory, 'mnt'))}), () => mountSysfsAt(${JSON.stringify(join(directory, 'mnt'))})])
       try { (await mount()).unmount(); } catch (error) { console.log(error.name, error.code, error.message); }`,
  );
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function bundled(
  format: 'esm' | 'cjs',
  external: string[],
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const outfile = join(directory, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs');
  const source = join(directory, 'program.mjs');
  if (format === 'cjs') {
    // This format has no top-level await.
    writeFileSync(
      source,
      `import { mountSysfsAt } from 'udax/mounts';
      mountSysfsAt(${JSON.stringify(join(directory, 'mnt'))}).catch((error) => console.log(error.name, error.code, error.message));`,
    );
  }
  await build({
    entryPoints: [source],
    bundle: true,
    platform: 'node',
    format,
    outfile,
    external,
    logLevel: 'silent',
  });
  const env = { ...process.env, UDAX_ROOT: join(directory, 'state') };
  return spawnSync(process.execPath, [outfile], { encoding: 'utf8', env, timeout: 150_000 });
}

describe('a bundle that has swallowed udax', () => {
  it.each(['esm', 'cjs'] as const)('says so at the first mount, in words that help (%s)', async (format) => {
    const { status, stdout, stderr } = await bundled(format, ['koffi']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.trim().split('\n');
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines)
      expect(line).toMatch(/^DaxError ENOENT .*keep udax and koffi out of the bundle.*external/);
  });

  it('works with udax kept out of it', async () => {
    const { status, stdout } = await bundled('esm', ['udax', 'koffi']);
    expect(status).toBe(0);
    // The mount fails because there is no machine, but not because of the bundle.
    expect(stdout).not.toContain('out of the bundle');
  });
});
