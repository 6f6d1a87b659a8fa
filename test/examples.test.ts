import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const main = fileURLToPath(new URL('../examples/arrow/main.mjs', import.meta.url));

it('the Arrow example shares one table between four processes without copying', () => {
  const output = execFileSync(process.execPath, [main, '1000000'], { encoding: 'utf8' });
  const line = output.split('\n').find((text) => text.startsWith('udax'));
  expect(line).toMatch(/zero-copy yes/);
  expect(output).toMatch(/^plain .* MB \(PSS\)/m);
});
