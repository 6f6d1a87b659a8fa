import fs from 'node:fs';
import path from 'node:path';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { because, noPython, pythons, run, temporaryDirectory } from './support.js';

describe.skipIf(noPython !== '')(`Arrow IPC files in Python${because}`, () => {
  it('primitive columns are seen in place, beside one of text; damaged files are ValueErrors', () => {
    const directory = temporaryDirectory();
    try {
      const file = path.join(directory, 'a.arrow');
      const table = tableFromArrays({
        words: ['a', 'b', 'c'],
        floats: Float32Array.of(1, 2, 3.5),
        ints: Int32Array.of(-1, 7, 9),
      });
      fs.writeFileSync(file, tableToIPC(table, 'file'));
      const code = `
import json, random, sys
from udax.formats import arrow
data = open(sys.argv[1], 'rb').read()
a = arrow(data)
b = a.batch(0)
answer = [[f.name for f in a.fields], [f.dtype for f in a.fields], b.length, b.column('floats').values.data.cast('f').tolist(), b.column('ints').values.data.cast('i').tolist()]
chance, refused = random.Random(3), 0
for _ in range(2000):
    bad = bytearray(data)
    bad[chance.randrange(len(bad))] = chance.choice([0, 1, 127, 128, 255])
    bad[chance.randrange(len(bad) - 400, len(bad))] = chance.choice([0, 1, 127, 128, 255])
    try:
        f = arrow(bytes(bad))
        for i in range(len(f)):
            for name in f.batch(i).columns: f.batch(i).column(name)
    except ValueError:
        refused += 1
print(json.dumps(answer + [refused > 0]))`;
      for (const { program } of pythons) {
        expect(JSON.parse(run(program, ['-c', code, file]))).toEqual([
          ['words', 'floats', 'ints'],
          [null, 'f32', 'i32'],
          3,
          [1, 2, 3.5],
          [-1, 7, 9],
          true,
        ]);
      }
    } finally {
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });
});
