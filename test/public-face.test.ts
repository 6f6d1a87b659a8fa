/** Every public function, as the declaration files have them, called with wrong values: only DaxError comes back, never a TypeError, a hang or a crash. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const checkout = resolve(import.meta.dirname, '..');
const face = join(checkout, 'dist/index.d.ts');
const child = join(import.meta.dirname, 'public-face-child.mjs');

/** Types whose methods answer as somebody else's do, and types that are only read. */
const NOT_CALLED: Record<string, string> = {
  DaxError: 'made by its constructor, which is called',
  DaxMachine: 'what Machine and KernelMachine are',
  VolumeFs: 'node:fs over a volume: TypeErrors with ERR_ codes, as node:fs throws',
  BorrowedMode: 'needs a device of the kernel',
  NodeBuffer: 'takes no arguments',
  FileStat: 'takes no arguments',
};
/** They end what the others need. */
const ENDS = new Set(['close', 'dispose', 'free', 'release', 'return']);

interface Found {
  functions: { name: string; parameters: number }[];
  methods: { owner: string; name: string; parameters: number }[];
}

function publicFace(): Found {
  const program = ts.createProgram([face], {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    skipLibCheck: true,
  });
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(face)!)!;
  const found: Found = { functions: [], methods: [] };
  for (const exported of checker.getExportsOfModule(module)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const { name } = exported;
    if (symbol.flags & ts.SymbolFlags.Function) {
      found.functions.push({ name, parameters: mostParameters(checker.getTypeOfSymbol(symbol)) });
    } else if (symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface) && !(name in NOT_CALLED)) {
      found.methods.push(...methodsOf(checker, symbol, name));
    }
  }
  return found;
}

function methodsOf(checker: ts.TypeChecker, symbol: ts.Symbol, owner: string): Found['methods'] {
  return checker
    .getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
    .filter(
      (member) =>
        member.flags & ts.SymbolFlags.Method && !member.name.startsWith('__') && !ENDS.has(member.name),
    )
    .map((member) => ({
      owner,
      name: member.name,
      parameters: mostParameters(checker.getTypeOfSymbol(member)),
    }));
}

function mostParameters(type: ts.Type): number {
  return Math.max(0, ...type.getCallSignatures().map((signature) => signature.getParameters().length));
}

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'udax-face-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the public face', () => {
  it('answers every wrong value with a DaxError', () => {
    const found = publicFace();
    expect(found.functions.length).toBeGreaterThan(12);
    expect(found.methods.length).toBeGreaterThan(60);
    writeFileSync(join(directory, 'calls.json'), JSON.stringify(found));
    const { status, signal, stderr } = spawnSync(process.execPath, [child, join(directory, 'calls.json')], {
      cwd: directory,
      encoding: 'utf8',
      timeout: 170_000,
    });
    expect({ status, signal }, stderr).toEqual({ status: 0, signal: null });
    const { calls, wrong } = JSON.parse(readFileSync(join(directory, 'answer.json'), 'utf8'));
    expect(wrong).toEqual([]);
    expect(calls).toBeGreaterThan(2000);
  });
});
