import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { catalog, type Invocation } from '../../src/cli/catalog/index.js';
import { buildProgram } from '../../src/cli/program.js';

/** The udax commands in a shell line, as words. */
function commandsIn(line: string): string[][] {
  return line
    .split(/&&|\|/)
    .map((part) => part.trim().split(/\s+/))
    .filter(([first]) => first === 'udax');
}

function parse(words: string[]): Invocation | undefined {
  let invocation: Invocation | undefined;
  buildProgram(catalog, (asked) => {
    invocation = asked;
  }).parse(['node', ...words]);
  return invocation;
}

describe.each(catalog)('the catalog entry of $name', (spec) => {
  it('leads to code', async () => {
    expect(await spec.load()).toBeInstanceOf(Function);
  });

  it('has examples that the command line accepts', () => {
    const commands = spec.examples.flatMap(commandsIn);
    expect(commands.length).toBeGreaterThan(0);
    expect(commands.map((words) => parse(words)?.spec.name)).toContain(spec.name);
  });
});

describe('the commands that docs tell to type', () => {
  it.each(['services.md', 'metrics.md'])('of docs/%s are accepted by the command line', (page) => {
    const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
    const lines = text
      .split('\n')
      .filter((line) => /^ {4,}.*\budax [a-z-]/.test(line))
      .map((line) => line.replace(/ {2,}#.*$/, '').replace(/ *>.*$/, ''))
      // Behind what another program is given to run: sudo -u one udax ..., exec udax ...
      .map((line) => line.replace(/.*?(?:^|exec |-u \w+ | {4})(?=udax )/, ''));
    const commands = lines.flatMap(commandsIn);
    expect(commands.length).toBeGreaterThan(3);
    for (const words of commands)
      expect([words, parse(words.map(unquoted))?.spec.name]).toEqual([words, commandOf(words)]);
  });

  const unquoted = (word: string) => word.replace(/^'|'$/g, '');
  const commandOf = (words: string[]) => words.find((word) => catalog.some(({ name }) => name === word));
});

describe('the catalog', () => {
  it('names every command once', () => {
    const names = catalog.map((spec) => spec.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('takes --root and --json before and after the command', () => {
    for (const words of [
      ['udax', '--json', '--root', '/x', 'ls', 'a.img:/'],
      ['udax', 'ls', 'a.img:/', '--json', '--root', '/x'],
      ['udax', '--root=/x', 'ls', '-lR', '--json', 'a.img:/'],
    ]) {
      let globals: unknown;
      const program = buildProgram(catalog, () => {
        globals = program.opts();
      });
      program.parse(['node', ...words]);
      expect(globals).toEqual({ json: true, root: '/x' });
    }
  });
});
