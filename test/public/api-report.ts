import { readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import ts from 'typescript';

const checkout = resolve(import.meta.dirname, '../..');
const dist = join(checkout, 'dist');
/** The modules that users import. */
const ENTRIES = {
  udax: 'index.d.ts',
  'udax/mounts': 'mounts/index.d.ts',
  'udax/arena': 'arena/index.d.ts',
  'udax/formats': 'formats/index.d.ts',
};

export interface ApiReport {
  /**
   * The text of etc/api.md: the exports of each entry by name, as in the declaration files, without comments and private parts.
   */
  text: string;
  /** Types that exports mention but users cannot import: `name (where it is declared)`. */
  hidden: string[];
}

export function apiReport(): ApiReport {
  const files = Object.values(ENTRIES).map((file) => join(dist, file));
  const program = ts.createProgram(files, {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    skipLibCheck: true,
  });
  const checker = program.getTypeChecker();
  const exportsOf = (file: string) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(dist, file))!)!;
    return checker
      .getExportsOfModule(module)
      .map((symbol) => ({ name: symbol.name, symbol: real(checker, symbol) }));
  };
  const entries = Object.entries(ENTRIES).map(([name, file]) => ({ name, exported: exportsOf(file) }));
  const known = new Set(entries.flatMap(({ exported }) => exported.map(({ symbol }) => symbol)));
  const hidden = new Set<string>();
  const parts = [
    '# What udax exports',
    '',
    'Made and compared by test/public/api.test.ts: a change here is a change for users.',
  ];
  for (const { name: entry, exported } of entries) {
    parts.push('', `## ${entry}`);
    for (const { name, symbol } of exported.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      for (const declaration of symbol.declarations ?? []) {
        parts.push('', '```ts', textOf(declaration, name), '```');
        for (const mentioned of mentionedIn(checker, declaration)) {
          if (!known.has(mentioned)) hidden.add(`${mentioned.name} (${whereIs(mentioned)})`);
        }
      }
    }
  }
  return { text: `${parts.join('\n')}\n`, hidden: [...hidden].sort() };
}

function real(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

const whereIs = (symbol: ts.Symbol) =>
  relative(dist, symbol.declarations?.[0]?.getSourceFile().fileName ?? '');

/** Types of udax that a declaration mentions in its public parts. */
function mentionedIn(checker: ts.TypeChecker, declaration: ts.Declaration): Set<ts.Symbol> {
  const found = new Set<ts.Symbol>();
  const visit = (node: ts.Node): void => {
    if (isPrivate(node)) return;
    if (ts.isTypeReferenceNode(node) || ts.isExpressionWithTypeArguments(node) || ts.isTypeQueryNode(node)) {
      const name = ts.isTypeReferenceNode(node)
        ? node.typeName
        : ts.isTypeQueryNode(node)
          ? node.exprName
          : node.expression;
      const at = checker.getSymbolAtLocation(name);
      const symbol = at && real(checker, at);
      const isParameter = symbol !== undefined && (symbol.flags & ts.SymbolFlags.TypeParameter) !== 0;
      if (symbol && !isParameter && symbol.declarations?.[0]?.getSourceFile().fileName.startsWith(dist))
        found.add(symbol);
    }
    ts.forEachChild(node, visit);
  };
  visit(declaration);
  return found;
}

function isPrivate(node: ts.Node): boolean {
  if (!ts.isClassElement(node)) return false;
  if (node.name && ts.isPrivateIdentifier(node.name)) return true;
  return (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) !== 0;
}

const printer = ts.createPrinter({ removeComments: true, omitTrailingSemicolon: false });

function textOf(declaration: ts.Declaration, name: string): string {
  const file = declaration.getSourceFile();
  if (ts.isVariableDeclaration(declaration)) return `const ${declaration.getText(file)};`;
  if (ts.isSourceFile(declaration)) return `namespace ${name}`;
  const text = printer.printNode(ts.EmitHint.Unspecified, withoutPrivate(declaration), file);
  return text.replace(/^(export )?(declare )?/, '');
}

function withoutPrivate(declaration: ts.Declaration): ts.Node {
  if (!ts.isClassDeclaration(declaration)) return declaration;
  const { modifiers, name, typeParameters, heritageClauses, members } = declaration;
  return ts.factory.updateClassDeclaration(
    declaration,
    modifiers,
    name,
    typeParameters,
    heritageClauses,
    members.filter((member) => !isPrivate(member) || ts.isConstructorDeclaration(member)),
  );
}

export const reportFile = join(checkout, 'etc/api.md');

export function reportOnFile(): string {
  try {
    return readFileSync(reportFile, 'utf8');
  } catch {
    return '';
  }
}
