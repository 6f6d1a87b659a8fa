/** Checks that the source is tidy, and says where it is not. */
import fs from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { catalog } from '../src/cli/catalog/index.js';

const checkout = path.resolve(import.meta.dirname, '..');
const MOST_LINES_OF_A_FILE = 400;
const MOST_LINES_OF_A_FUNCTION = 60;
/** Files that are started by name: by Node, the package or a worker. */
const ENTRIES = [
  'src/index.ts',
  'src/arena/index.ts',
  'src/mounts/index.ts',
  'src/formats/index.ts',
  'src/cli/index.ts',
  'src/cli/up/second-process.ts',
  'src/fuse/session-worker.ts',
  'src/mounts/famfs/module.ts',
  'src/mounts/sysfs/module.ts',
  'proof/crash/main.ts',
  'proof/faults/main.ts',
  'proof/fuzz/main.ts',
  'proof/soak/main.ts',
  'proof/kill/main.ts',
  'proof/kill/arena-child.mjs',
  'proof/interleave/main.ts',
  'proof/peers/main.ts',
  'proof/mutation.ts',
  'proof/report.ts',
];

/** The class names that may follow `@throws`. */
const ERROR_CLASSES = ['DaxError', 'UsageError', 'AbortError', 'ChildDied', 'Error'];
/** Places outside src/cli/ whose text may look like a command line, and why. */
const COMMAND_LINES_OF_OTHERS: readonly [where: string, why: string][] = [
  ['src/lab/explore/', 'prints traces as command lines and shell scripts: the product of `udax explore`'],
  ['src/tree/daxctl/', "speaks daxctl's own recorded dialect"],
  ['src/lab/replay/operations/exec.ts', 'reads the command lines of the transcripts'],
  ['src/mounts/sysfs/namespace.ts', 'is a shell script that mounts'],
  ['src/mounts/daemon/background.ts', 'is a shell script that watches a daemon'],
  ['src/libc/errors.ts', 'ulimit: the limit of the shell that started us; no function of ours raises it'],
  ['src/libc/child-programs.ts', 'ulimit, too'],
  ['src/memory/map-count.ts', 'ulimit, too'],
];

const sources = [...list('src'), ...list('proof')];
const users = [...sources, ...list('test'), ...list('bench')];

function list(folder: string): string[] {
  return fs
    .readdirSync(path.join(checkout, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') || name.endsWith('.mjs'))
    .map((name) => path.join(folder, name));
}

const textOf = (file: string) => fs.readFileSync(path.join(checkout, file), 'utf8');
const parsed = new Map<string, ts.SourceFile>();
function parse(file: string): ts.SourceFile {
  const known = parsed.get(file);
  if (known) return known;
  const source = ts.createSourceFile(file, textOf(file), ts.ScriptTarget.ES2022, true);
  parsed.set(file, source);
  return source;
}

/** Every file that an import, an export or a worker URL names. */
function namedFiles(file: string): string[] {
  const named: string[] = [];
  const visit = (node: ts.Node): void => {
    // An import, or a worker's file, given relative to the file that starts it.
    if (ts.isStringLiteralLike(node) && node.text.endsWith('.js')) {
      named.push(path.join(path.dirname(file), node.text).replace(/\.js$/, '.ts'));
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return named;
}

function linesOf(source: ts.SourceFile, node: ts.Node): [number, number] {
  const start = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
  return [start, source.getLineAndCharacterOfPosition(node.getEnd()).line + 2 - start];
}

function longFunctions(file: string): string[] {
  const source = parse(file);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const isFunction =
      ts.isFunctionLike(node) && 'body' in node && node.body !== undefined && !ts.isConstructorTypeNode(node);
    if (isFunction) {
      const [line, lines] = linesOf(source, node);
      if (lines > MOST_LINES_OF_A_FUNCTION) found.push(`${file}:${line}: a function of ${lines} lines`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Names that a file exports itself (no re-exports). */
function exportsOf(file: string): { name: string; line: number; isType: boolean }[] {
  const source = parse(file);
  const found: { name: string; line: number; isType: boolean }[] = [];
  const add = (name: ts.Node, isType = false) =>
    found.push({ name: name.getText(source), line: linesOf(source, name)[0], isType });
  for (const statement of source.statements) {
    const isExported =
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    if (!isExported) continue;
    if (ts.isVariableStatement(statement))
      for (const { name } of statement.declarationList.declarations) add(name);
    else if ('name' in statement && statement.name) {
      const isType = ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
      add(statement.name as ts.Node, isType);
    }
  }
  return found;
}

/** The words of all files, each counted once per file. */
function wordsByFile(): Map<string, Set<string>> {
  return new Map(users.map((file) => [file, new Set(textOf(file).match(/[A-Za-z_$][\w$]*/g))]));
}

/** Texts of string literals and templates, without those of imports. */
function literalsOf(file: string): { text: string; line: number }[] {
  const source = parse(file);
  const found: { text: string; line: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
      found.push({ text: node.text, line: linesOf(source, node)[0] });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const NAMES = catalog.map(({ name }) => name);
const COMMAND_LINES = [
  // The program's name before one of its commands, or before an option.
  new RegExp(`\\budax (?:-\\S+ )*(?:${NAMES.join('|')})\\b`),
  // Commands whose names mean nothing else. A take-over is also something that happens to a file system.
  new RegExp(`\\b(?:${NAMES.filter((name) => name.includes('-') && name !== 'take-over').join('|')})\\b`),
  /\b(?:(?:daxctl|ndctl) [a-z]|findmnt\b|ulimit\b)/,
  // An option within a sentence. A literal that is only an option is an argument for another program.
  /(?<=.)(?<![\w-])--?[a-zA-Z][\w-]*(?=[\s)'",:;]|$)/,
];

/** Written in pieces, so that this file does not contain them. */
const NOTES = ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'];

describe('the house is tidy', () => {
  it('no file is longer than 400 lines', () => {
    const long = users
      .map((file) => ({ file, lines: textOf(file).split('\n').length - 1 }))
      .filter(({ lines }) => lines > MOST_LINES_OF_A_FILE);
    expect(long.map(({ file, lines }) => `${file}: ${lines} lines`)).toEqual([]);
  });

  it('no function is longer than 60 lines', () => {
    expect(sources.flatMap(longFunctions)).toEqual([]);
  });

  it('source is ASCII, and nothing is left to be done in it', () => {
    const found = users.flatMap((file) =>
      textOf(file)
        .split('\n')
        .flatMap((line, at) => {
          const where = `${file}:${at + 1}`;
          // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
          if (/[^\x00-\x7f]/.test(line)) return [`${where}: not ASCII`];
          return new RegExp(`\\b(${NOTES.join('|')})\\b`).test(line) ? [`${where}: to be done`] : [];
        }),
    );
    expect(found).toEqual([]);
  });

  it('every file is used by another', () => {
    const named = new Set(users.flatMap(namedFiles));
    expect(sources.filter((file) => !named.has(file) && !ENTRIES.includes(file))).toEqual([]);
  });

  it('what a file exports is named by another; a type, at least by what the file exports', () => {
    const words = wordsByFile();
    const isMentioned = (file: string, name: string) =>
      textOf(file).split(new RegExp(`\\b${name.replace('$', '\\$')}\\b`)).length > 2;
    const dead = sources
      .filter((file) => !ENTRIES.includes(file))
      .flatMap((file) =>
        exportsOf(file)
          .filter(({ name }) => ![...words].some(([other, those]) => other !== file && those.has(name)))
          .filter(({ name, isType }) => !(isType && isMentioned(file, name)))
          .map(({ name, line }) => `${file}:${line}: ${name} is exported for nobody`),
      );
    expect(dead).toEqual([]);
  });

  // What went wrong: errors told the library's users to run `udax mkfs -f` with a longer `--loglen`.
  it('below src/cli/ no text names a command or an option of a command line', () => {
    const isAllowed = (file: string) => COMMAND_LINES_OF_OTHERS.some(([where]) => file.startsWith(where));
    const below = sources.filter((file) => file.startsWith('src/') && !file.startsWith('src/cli/'));
    const found = below
      .filter((file) => !isAllowed(file))
      .flatMap((file) =>
        literalsOf(file)
          .filter(({ text }) => COMMAND_LINES.some((pattern) => pattern.test(text)))
          .map(({ text, line }) => `${file}:${line}: ${text}`),
      );
    expect(found).toEqual([]);
    const unused = COMMAND_LINES_OF_OTHERS.filter(([where]) => !below.some((file) => file.startsWith(where)));
    expect(unused).toEqual([]);
  });

  it('every @throws names the class of the error, then its codes', () => {
    const found = sources.flatMap((file) =>
      textOf(file)
        .split('\n')
        .flatMap((line, at) =>
          [...line.matchAll(/@throws\b[ {]*([\w.]*)/g)]
            .filter(([, name]) => !ERROR_CLASSES.includes(name!))
            .map(([whole]) => `${file}:${at + 1}: ${whole}`),
        ),
    );
    expect(found).toEqual([]);
  });

  it('private members are #private; only a constructor is `private`', () => {
    const found = sources.flatMap((file) => {
      const source = parse(file);
      const marked: string[] = [];
      const visit = (node: ts.Node): void => {
        if (node.kind === ts.SyntaxKind.PrivateKeyword && !ts.isConstructorDeclaration(node.parent))
          marked.push(`${file}:${linesOf(source, node)[0]}: ${node.parent.getText(source).split('\n')[0]}`);
        ts.forEachChild(node, visit);
      };
      visit(source);
      return marked;
    });
    expect(found).toEqual([]);
  });
});
