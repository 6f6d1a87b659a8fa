// The completion of bash, asked as bash asks it; the scripts of zsh and fish by their shells, where they are installed.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalog } from '../../../src/cli/catalog/index.js';
import { completionScript, shells } from '../../../src/cli/help/completion.js';

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0;
let directory: string;
beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-completion-'));
  fs.writeFileSync(
    path.join(directory, 'machine.json'),
    '{"devices":[{"name":"dax0.0"},{"name":"dax12.3"}]}',
  );
  fs.writeFileSync(path.join(directory, 'pool.img'), '');
});
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

/** What bash offers behind a line. */
function offered(line: string): string[] {
  const words = line.split(' ');
  const script = `${completionScript('bash', catalog)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_udax; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], {
    encoding: 'utf8',
    cwd: directory,
    env: { ...process.env, UDAX_ROOT: directory },
  });
  expect(stderr).toBe('');
  return stdout.split('\n').filter(Boolean).sort();
}

describe.skipIf(!has('bash'))('completion in bash', () => {
  it('offers commands, and their options', () => {
    expect(offered('udax mou')).toEqual(['mount', 'mounts']);
    expect(offered('udax --root /x umo')).toEqual(['umount']);
    expect(offered('udax help ve')).toEqual(['verify']);
    expect(offered('udax mount --se')).toEqual(['--set-mode', '--settle']);
    expect(offered('udax fsck --v')).toEqual(
      catalog.find(({ name }) => name === 'fsck')!.options!.some(([flag]) => flag.includes('--v'))
        ? ['--verbose']
        : [],
    );
  });

  it('offers devices and files where they fit', () => {
    expect(offered('udax mkfs dax')).toEqual(['dax0.0', 'dax12.3']);
    expect(offered('udax mkfs -f p')).toEqual(['pool.img']);
    expect(offered('udax --role m')).toEqual(['master']);
    expect(offered('udax --root p')).toEqual(['pool.img']);
  });
});

describe.each(shells)('the script for %s', (shell) => {
  it('names every command and long option', () => {
    const script = completionScript(shell, catalog);
    for (const { name, options = [] } of catalog) {
      expect(script).toContain(name);
      for (const [flags] of options) {
        const long = /--([a-z-]+)/.exec(flags)?.[1];
        if (long) expect(script).toContain(long);
      }
    }
  });

  const isHere = has(shell);
  it.skipIf(!isHere)(
    `is one that the shell can read${isHere ? '' : ` (skipped: ${shell} is not installed)`}`,
    () => {
      const file = path.join(directory, `script.${shell}`);
      fs.writeFileSync(file, completionScript(shell, catalog));
      const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );
});
