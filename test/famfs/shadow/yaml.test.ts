import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FileEntry, Fmap } from '../../../src/famfs/index.js';
import { fileYaml, parseFileYaml } from '../../../src/famfs/shadow/index.js';
import { kitBytes } from '../../support/conformance.js';
import { Tally } from '../../support/tally.js';

function entryOf(path: string, fmap: Fmap = simple(1)): FileEntry {
  return { kind: 'file', path, size: 1, flags: 2, uid: 0, gid: 0, mode: 0o644, fmap };
}

function simple(count: number): Fmap {
  return {
    type: 'simple',
    extents: Array.from({ length: count }, (_, i) => ({
      devindex: 0,
      offset: (i + 5) * 2 ** 21,
      length: 2 ** 21,
    })),
  };
}

/** Reads a name as bash's printf %q writes it in the vectors. */
function unquote(word: string): string {
  if (word === "''") return '';
  const ansi = /^\$'(.*)'$/s.exec(word);
  if (ansi) {
    return ansi[1]!
      .replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
      .replace(/\\t/g, '\t')
      .replace(/\\n/g, '\n')
      .replace(/\\'/g, "'");
  }
  return word.replace(/\\(.)/g, '$1');
}

interface Vector {
  path: string;
  lines: string;
}

/** The vectors that C could write. C crashed on the one with invalid UTF-8. */
function vectors(): Vector[] {
  const blocks = kitBytes('famfs', 'yaml-path-vectors.txt').toString('utf8').split(/^=== /m).slice(1);
  return blocks
    .map((block) => {
      const [name, ...rest] = block.split('\n');
      const end = rest.findIndex((line) => line.startsWith('# emit'));
      return { path: unquote(name!).slice(0, 79), lines: rest.slice(0, end).join('\n') };
    })
    .filter(({ lines }) => lines.startsWith('  path:'));
}

describe('the YAML of a file', () => {
  it.each(vectors())('quotes a path as C does: $path', ({ path, lines }) => {
    expect(fileYaml(entryOf(path))).toContain(`file:\n${lines}\n  size: 1\n`);
  });

  it('folds a plain path at a blank behind column 80, as libyaml does', () => {
    const path = `${'a'.repeat(74)} bc d`;
    expect(fileYaml(entryOf(path))).toContain(`  path: ${'a'.repeat(74)}\n    bc d\n`);
    expect(parseFileYaml(fileYaml(entryOf(path)), 'f').path).toBe(path);
  });

  it('refuses a path that is not UTF-8', () => {
    expect(() => fileYaml(entryOf('x\udc80'))).toThrow(expect.objectContaining({ code: 'EILSEQ' }));
  });

  it('writes uids beyond 2^31 as negative numbers, and reads them back', () => {
    const yaml = fileYaml({ ...entryOf('a'), uid: 4_000_000_000 });
    expect(yaml).toContain('  uid: -294967296\n');
    expect(parseFileYaml(yaml, 'f').uid).toBe(4_000_000_000);
  });

  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const u53 = fc.maxSafeNat();
  const extent = fc.record({ devindex: fc.nat(300), offset: u53, length: u53 });
  const extents = fc.array(extent, { minLength: 1, maxLength: 16 });
  const fmap: fc.Arbitrary<Fmap> = fc.oneof(
    extents.map((list): Fmap => ({ type: 'simple', extents: list })),
    fc.tuple(extents, u53).map(
      ([list, chunkSize]): Fmap => ({
        type: 'interleaved',
        nstrips: list.length,
        chunkSize,
        extents: list,
      }),
    ),
  );
  const characters = fc.oneof(
    fc.constantFrom(...' \t\n:#-?\'"\\,[]{}&*!|>%@`~=\r\u0085\u2028\u00a0\ufeff\u{1f600}'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }).filter((text) => !text.includes('\0')),
    fc.constantFrom('a', 'bb', '  ', 'ccc ccc'),
  );
  const path = fc.array(characters, { minLength: 1, maxLength: 30 }).map((parts) => parts.join(''));

  it('reads back as what it was written from, whatever the path holds', () => {
    const entry = fc.record({
      kind: fc.constant('file' as const),
      path,
      size: u53,
      flags: u32,
      uid: u32,
      gid: u32,
      mode: u32,
      fmap,
    });
    fc.assert(
      fc.property(entry, (file) => {
        expect(parseFileYaml(fileYaml(file), 'f')).toEqual(file);
      }),
      { numRuns: 500 },
    );
  });

  it('never hangs or crashes on text that is not its own', () => {
    const good = fileYaml(entryOf("it's a: 'path' \u00e9"));
    const tally = new Tally();
    const edit = fc.tuple(fc.nat(good.length), fc.nat(4), fc.string({ maxLength: 4 }));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let text = good;
        for (const [at, drop, add] of edits) text = text.slice(0, at) + add + text.slice(at + drop);
        let isRefused = false;
        try {
          parseFileYaml(text, 'f');
        } catch (error) {
          isRefused = true;
          expect(error).toMatchObject({ name: 'DaxError', code: expect.stringMatching(/EINVAL|EOVERFLOW/) });
        }
        tally.count('is refused', isRefused);
        tally.count('is read', !isRefused);
      }),
      { numRuns: 2000 },
    );
    tally.mustReach({ 'is refused': 0.1, 'is read': 0.01 });
  });
});

describe('the parser keeps the rules of C', () => {
  const text = fileYaml(entryOf('a', simple(3)));
  const parse = (yaml: string) => parseFileYaml(yaml, 'file.yaml');
  const refused = (yaml: string, message: RegExp, code = 'EINVAL') =>
    expect(() => parse(yaml)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );

  it('takes keys in any order, the extent list last', () => {
    const lines = text.split('\n');
    const shuffled = [...lines.slice(0, 2), ...lines.slice(2, 9).reverse(), ...lines.slice(9)].join('\n');
    expect(parse(shuffled)).toEqual(parse(text));
  });

  it('takes length before offset', () => {
    const swapped = text.replace(/( {4}offset: .*\n)( {4}length: .*\n)/g, '$2$1');
    expect(parse(swapped)).toEqual(parse(text));
  });

  it('reads numbers of any base, comments, and devindex left out', () => {
    const yaml = text
      .replace('size: 1', 'size: 0x10 # sixteen')
      .replace('---\n', '# made by hand\n---\n\n')
      .replaceAll('  - devindex: 0\n    offset', '  - offset');
    expect(parse(yaml)).toMatchObject({ size: 16, mode: 0o644 });
    expect(parse(yaml).fmap).toEqual(simple(3));
  });

  it.each([
    [
      'an unknown key',
      text.replace('  size:', '  colour: red\n  size:'),
      /line 4: the key 'colour' is unknown/,
    ],
    ['an unknown key in an extent', text.replace('    length:', '    width:'), /the key 'width' is unknown/],
    ['a missing length', text.replace(/ {4}length: .*\n/, ''), /the key 'length' is missing/],
    ['a key behind the list', text.replace('...', '  size: 2\n...'), /there twice|last key/],
    ['a count that does not match', text.replace('nextents: 3', 'nextents: 2'), /3 items, nextents says 2/],
    ['a missing count', text.replace(/ {2}nextents: 3\n/, ''), /'nextents' is missing/],
    ['another first key', text.replace('file:', 'fil:'), /the key 'fil' is unknown/],
    ['an empty document', '---\n...\n', /empty/],
    ['nothing at all', '', /empty/],
    ['a number with rubbish', text.replace('size: 1', 'size: 1x'), /"1x" is no number/],
    ['a number beyond 2^53', text.replace('size: 1', 'size: 99999999999999999999'), /beyond 2\^53/],
    ['a flow collection', text.replace('size: 1', 'size: [1]'), /cannot start with \[/],
    ['two documents', `${text}${text}`, /something follows/],
    ['an open quote', text.replace('path: a', "path: 'a"), /never closed/],
  ])('refuses %s', (_what, yaml, message) => refused(yaml, message));

  it('refuses 17 extents', () => {
    refused(fileYaml(entryOf('a', simple(17))), /17 extents, at most 16/, 'EOVERFLOW');
  });
});
