import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const house = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(house, 'README.md'), 'utf8');

function fence(language: string): string {
  const found = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(readme);
  if (!found) throw new Error(`README.md has no ${language} example`);
  return found[1]!;
}

describe('the README', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'udax-readme-'));
    mkdirSync(join(directory, 'node_modules'));
    symlinkSync(house, join(directory, 'node_modules', 'udax'));
    mkdirSync(join(directory, 'path'));
    symlinkSync(join(house, 'bin', 'udax.js'), join(directory, 'path', 'udax'));
    writeFileSync(join(directory, 'README.md'), readme);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('has a code example of about ten lines that runs as printed', () => {
    const code = fence('js');
    expect(code.trim().split('\n').length).toBeLessThanOrEqual(14);
    writeFileSync(join(directory, 'example.mjs'), code);
    writeFileSync(join(directory, 'vectors.f32'), new Float32Array(1000).fill(1.5));
    const output = execFileSync(process.execPath, ['example.mjs'], { cwd: directory, encoding: 'utf8' });
    expect(output).toBe('1000 1.5\n');
  });

  const python = spawnSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 9)']).status === 0;
  it.skipIf(!python)(
    `has a Python example of about ten lines that runs as printed${python ? '' : ' (skipped: no python3 of 3.9 or later)'}`,
    () => {
      writeFileSync(join(directory, 'example.mjs'), fence('js'));
      writeFileSync(join(directory, 'vectors.f32'), new Float32Array(1000).fill(1.5));
      execFileSync(process.execPath, ['example.mjs'], { cwd: directory });
      const code = fence('python');
      expect(code.trim().split('\n').length).toBeLessThanOrEqual(10);
      const env = {
        ...process.env,
        PYTHONPATH: join(house, 'clients/python/src'),
        PYTHONDONTWRITEBYTECODE: '1',
      };
      expect(execFileSync('python3', ['-c', code], { cwd: directory, encoding: 'utf8', env })).toBe(
        '1000 1.5\n',
      );
    },
  );

  it('has a shell example of ten lines that runs as printed', () => {
    const script = fence('sh');
    expect(script.trim().split('\n')).toHaveLength(10);
    const output = execFileSync('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: directory,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${join(directory, 'path')}${delimiter}${process.env.PATH}` },
    });
    expect(output).toContain('/data/README.md');
    expect(output).toContain('# udax');
  });
});
