/** The examples of docs/formats.md run as printed. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referenceFolder } from './support.js';

const house = path.resolve(import.meta.dirname, '../..');
const page = fs.readFileSync(path.join(house, 'docs/formats.md'), 'utf8');
const examples = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code!);
let directory: string;

beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-formats-docs-'));
  fs.mkdirSync(path.join(directory, 'node_modules'));
  fs.symlinkSync(house, path.join(directory, 'node_modules', 'udax'));
  for (const [from, to] of [
    ['all.safetensors', 'model.safetensors'],
    ['all.gguf', 'model.gguf'],
    ['stored.npz', 'arrays.npz'],
    ['all.arrow', 'table.arrow'],
  ] as const) {
    fs.copyFileSync(path.join(referenceFolder, from), path.join(directory, to));
  }
  fs.mkdirSync(path.join(directory, 'many/sub'), { recursive: true });
  for (let i = 0; i < 10; i++) fs.writeFileSync(path.join(directory, `many/sub/${i}.txt`), `file ${i}`);
});
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

describe('docs/formats.md', () => {
  const wanted = [
    /^f32 f32 \[ 3, 4 \]$[\s\S]*^12 -1$/m,
    /^llama\nQ4_0 \[ 2, 256 \] \{ elements: 32, bytes: 18 \}\n288 -2$/m,
    /^file 7 0 true$/m,
    /^f4 \[ 2, 3 \] (true|false)$/m,
    /^5 \[ 'i32: int32', 'u64: uint64', 'f64: float64' \]$[\s\S]*Int32Array\(3\) \[ 1, 0, 3 \] true$[\s\S]*^a$/m,
  ];

  it('has an example for each kind of file', () => expect(examples.length).toBe(wanted.length));

  for (const [i, pattern] of wanted.entries()) {
    it(`example ${i + 1} runs as printed, in about ten lines`, () => {
      const code = examples[i]!;
      expect(code.trim().split('\n').length).toBeLessThanOrEqual(12);
      const file = `example-${i}.mjs`;
      fs.writeFileSync(path.join(directory, file), code);
      expect(execFileSync(process.execPath, [file], { cwd: directory, encoding: 'utf8' })).toMatch(pattern);
    });
  }
});
