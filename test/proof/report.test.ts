/** docs/reliability.md is written by the tools, not by hand. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { operations } from '../../proof/crash/run.js';
import { rendered, resultsIn, sectionOf } from '../../proof/report.js';

const page = fs.readFileSync(path.resolve(import.meta.dirname, '../../docs/reliability.md'), 'utf8');

describe('the reliability page', () => {
  it('is what the results say', () => {
    expect(rendered(page, resultsIn())).toBe(page);
  });

  it('has a row for every operation on everything that may be under it, and nothing lost', () => {
    for (const { name, under } of operations) {
      for (const each of under)
        expect(page).toMatch(new RegExp(`\\| ${name} \\| ${each} \\| \\w+ \\| \\d+ \\| \\d+ \\| 0 \\|`));
    }
  });

  it('renders any result of the shape that proof/README.md names, and adds up its rows', () => {
    const columns = { what: 'what', tried: 'tried', found: 'found', command: 'again with' };
    const text = [
      '> npm says something',
      JSON.stringify({ tool: 't', title: 'Title', about: 'About.', command: 'npm run t', columns }),
      JSON.stringify({ what: 'a', tried: 2, found: '1 of 2', command: 'x' }),
      JSON.stringify({ what: 'b', tried: 3, found: '-', command: 'y' }),
    ].join('\n');
    expect(sectionOf(text).split('\n').slice(5)).toEqual([
      '| what | tried | found | again with |',
      '| --- | ---: | --- | --- |',
      '| a | 2 | 1 of 2 | `x` |',
      '| b | 3 | - | `y` |',
      '| **all** | 5 | 1 of 2 |  |',
      '',
    ]);
  });
});
