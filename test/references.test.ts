/** Comments and docs cite sections of docs/ by number. Every reference must lead to something in this repository. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const book = join(root, 'docs');

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name);
    return statSync(join(root, path)).isDirectory() ? filesBelow(path) : [path];
  });
}

const code = ['src', 'test', 'bench', 'proof', 'examples']
  .flatMap(filesBelow)
  .filter((file) => /\.(ts|mjs|js)$/.test(file));
const pages = [
  ...filesBelow('docs').filter((file) => file.endsWith('.md')),
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'conformance/README.md',
  'test/vm/README.md',
  'proof/README.md',
];

const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

/** `12` and `2.4` of headings like `## 12. Title` and `### 2.4 Title`. */
function sectionsOf(page: string): Set<string> {
  return new Set(
    [...textOf(`docs/${page}`).matchAll(/^#{2,3} (\d+(?:\.\d+)?)\.? /gm)].map(([, number]) => number!),
  );
}

const sections = new Map(['kernel-dax.md', 'famfs-format.md'].map((page) => [page, sectionsOf(page)]));
const design = textOf('docs/design.md');
const decisions = new Set(
  [...design.matchAll(/^\s*(?:- )?(?:\*\*)?(\d+b?)\. (?:\*\*)?/gm)].map(([, number]) => number!),
);
const invariants = new Set([...design.matchAll(/^- (I\d+) /gm)].map(([, name]) => name!));

/** Names of safetensors and GGUF that look like invariants. */
const ELEMENT_TYPES = ['I16', 'I32', 'I64'];

function broken(file: string): string[] {
  const text = textOf(file);
  const found: string[] = [];
  const missing = (what: string) => found.push(`${file}: ${what}`);
  for (const [whole, page, list] of text.matchAll(
    /\b([a-z-]+\.md) ((?:\d+(?:\.\d+)?)(?:(?:, | and | to )\d+(?:\.\d+)?)*)/g,
  )) {
    const known = sections.get(page!);
    if (known === undefined) continue;
    for (const number of list!.split(/, | and | to /)) {
      // 12.3 may be item 3 of section 12.
      if (!known.has(number) && !known.has(number.split('.')[0]!)) missing(whole);
    }
  }
  for (const [whole, list] of text.matchAll(/\b[Dd]ecisions? ((?:\d+b?)(?:(?:, | and )\d+b?)*)/g)) {
    for (const number of list!.split(/, | and /)) if (!decisions.has(number)) missing(whole);
  }
  for (const [name] of text.matchAll(/\bI\d{1,2}\b/g))
    if (!invariants.has(name) && !ELEMENT_TYPES.includes(name)) missing(name);
  return found;
}

function brokenLinks(page: string): string[] {
  return [...textOf(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(resolve(root, dirname(page), target)))
    .map((target) => `${page}: ${target}`);
}

describe('references', () => {
  it('has sections, decisions and invariants to refer to', () => {
    expect(sections.get('kernel-dax.md')!.size).toBeGreaterThan(15);
    expect(sections.get('famfs-format.md')!.size).toBeGreaterThan(15);
    expect([decisions.has('5b'), decisions.has('15'), invariants.size]).toEqual([true, true, 16]);
  });

  it('to sections, decisions and invariants resolve, in code and docs', () => {
    expect([...code, ...pages].flatMap(broken)).toEqual([]);
  });

  it('are to pages that are here: every name of a page in code and docs is one of docs/, README or CONTRIBUTING', () => {
    const known = new Set(
      readdirSync(book).concat(
        'README.md',
        'CONTRIBUTING.md',
        'CHANGELOG.md',
        'SECURITY.md',
        'SCHEMA.md',
        'api.md',
      ),
    );
    const unknown = [...code, ...pages].flatMap((file) =>
      [...textOf(file).matchAll(/\b([A-Za-z-]+\.md)\b/g)]
        .map(([, page]) => page!)
        .filter((page) => !known.has(page))
        .map((page) => `${file}: ${page}`),
    );
    expect(unknown).toEqual([]);
  });

  it('never lead out of the repository', () => {
    const outside = [...code, ...pages].filter((file) => textOf(file).includes(['..', 'shared'].join('/')));
    expect(outside.map((file) => relative('.', file))).toEqual([]);
  });

  it('of pages to files are links that work', () => {
    expect(pages.flatMap(brokenLinks)).toEqual([]);
  });
});
