/** What the package declares to the public. It is read from the shipped declaration files, so that nothing new is forgotten. */
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Describes a legal value of a parameter. The child makes the value. */
export type Plausible =
  | { kind: 'text' | 'number' | 'flag' | 'bytes' | 'callback' | 'list' | 'signal' | 'none' }
  | { kind: 'one of'; words: string[] }
  | { kind: 'instance'; of: string }
  | { kind: 'options'; fields: Record<string, { isOptional: boolean; value: Plausible }> };

export interface PublicFunction {
  /** The class or interface; '' for a function of the package itself. */
  owner: string;
  name: string;
  module: 'udax' | 'udax/arena' | 'udax/mounts' | 'udax/formats';
  parameters: Plausible[];
}

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
const MODULES = {
  udax: `${dist}index.d.ts`,
  'udax/mounts': `${dist}mounts/index.d.ts`,
  'udax/arena': `${dist}arena/index.d.ts`,
  'udax/formats': `${dist}formats/index.d.ts`,
} as const;

/** Every exported function, and every method of the classes and interfaces that are exported or returned. */
export function publicFunctions(): PublicFunction[] {
  const program = ts.createProgram(Object.values(MODULES), {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: ['node'],
    strict: true,
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  const found: PublicFunction[] = [];
  const seen = new Set<string>();
  for (const [module, file] of Object.entries(MODULES) as [PublicFunction['module'], string][]) {
    const face = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
    for (const exported of checker.getExportsOfModule(face)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      if (symbol.flags & ts.SymbolFlags.Function) {
        add({ owner: '', name: exported.name, module }, checker.getTypeOfSymbol(symbol).getCallSignatures());
      } else if (symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface)) {
        addMethods(exported.name, checker.getDeclaredTypeOfSymbol(symbol), module);
      }
    }
  }
  return found;

  function add(what: Omit<PublicFunction, 'parameters'>, signatures: readonly ts.Signature[]): void {
    const longest = [...signatures].sort((a, b) => b.parameters.length - a.parameters.length)[0]!;
    found.push({
      ...what,
      parameters: longest.parameters.map((each) => plausible(checker.getTypeOfSymbol(each))),
    });
  }

  function addMethods(owner: string, type: ts.Type, module: PublicFunction['module']): void {
    if (!(type.flags & ts.TypeFlags.Object) || seen.has(owner)) return;
    seen.add(owner);
    for (const member of checker.getPropertiesOfType(type)) {
      const { name } = member;
      const isOurs = member.declarations?.some((each) => each.getSourceFile().fileName.startsWith(dist));
      if (!isOurs || name.startsWith('#') || name.startsWith('__')) continue;
      const value = checker.getTypeOfSymbol(member);
      const signatures = value.getCallSignatures();
      // A function among the fields of options is supplied by the user, not called.
      const isMethod = (member.flags & ts.SymbolFlags.Method) !== 0 && signatures.length > 0;
      if (isMethod) add({ owner, name, module }, signatures);
    }
  }

  function plausible(given: ts.Type, depth = 0): Plausible {
    const type = checker.getNonNullableType(given);
    if (type.isUnion()) {
      const words = type.types
        .filter((each) => each.isStringLiteral())
        .map((each) => (each as ts.StringLiteralType).value);
      if (words.length > 0) return { kind: 'one of', words };
      if (type.flags & ts.TypeFlags.Boolean) return { kind: 'flag' };
      return plausible(type.types.find((each) => each.flags & ts.TypeFlags.Object) ?? type.types[0]!, depth);
    }
    if (type.flags & ts.TypeFlags.StringLike) return { kind: 'text' };
    if (type.flags & ts.TypeFlags.NumberLike) return { kind: 'number' };
    if (type.flags & ts.TypeFlags.BooleanLike) return { kind: 'flag' };
    if (type.getCallSignatures().length > 0) return { kind: 'callback' };
    if (checker.isArrayType(type)) return { kind: 'list' };
    const name = type.symbol?.name ?? '';
    if (/^(Uint8Array|Buffer)$/.test(name)) return { kind: 'bytes' };
    if (name === 'AbortSignal') return { kind: 'signal' };
    const members = checker.getPropertiesOfType(type);
    const hasMethods = members.some(
      (each) =>
        checker.getTypeOfSymbol(each).flags & ts.TypeFlags.Object && each.flags & ts.SymbolFlags.Method,
    );
    if (hasMethods) return { kind: 'instance', of: name };
    if (members.length === 0 || depth > 1) return { kind: 'none' };
    return {
      kind: 'options',
      fields: Object.fromEntries(
        members.map((each) => [
          each.name,
          {
            isOptional: (each.flags & ts.SymbolFlags.Optional) !== 0,
            value: plausible(checker.getTypeOfSymbol(each), depth + 1),
          },
        ]),
      ),
    };
  }
}
