import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { catalog } from '../../../src/cli/catalog/index.js';
import { commandPage, manPage } from '../../../src/cli/help/man-page.js';
import { overview } from '../../../src/cli/program.js';

const facts = { version: '1.2.3', date: '2026-01-02', overview };
const hasGroff = spawnSync('groff', ['--version']).status === 0;
const because = hasGroff ? '' : ' (skipped: groff is not installed)';

/** The page as a terminal shows it. groff's warnings are errors here. */
function shown(page: string): string {
  const { status, stdout, stderr } = spawnSync('groff', ['-man', '-Tascii', '-ww', '-P', '-cbou'], {
    input: page,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describe.skipIf(!hasGroff)(`the manual${because}`, () => {
  it('has every command, option and example, as they are typed', () => {
    const page = shown(manPage(catalog, facts)).replace(/\s+/g, ' ');
    expect(page).toContain('udax 1.2.3');
    for (const { name, options = [], examples } of catalog) {
      expect(page).toContain(` ${name} `);
      for (const [flags] of options) expect(page).toContain(/--?[a-z-]+/i.exec(flags)![0]);
      for (const example of examples) expect(page).toContain(example.replace(/\s+/g, ' '));
    }
  });

  it.each(catalog)('has a page of $name alone', (spec) => {
    const page = shown(commandPage(spec, facts)).replace(/\s+/g, ' ');
    expect(page).toContain(`udax-${spec.name} - ${spec.summary}`.replace(/\s+/g, ' '));
    expect(page).toContain(spec.explanation.split(' ').slice(0, 6).join(' '));
  });
});
