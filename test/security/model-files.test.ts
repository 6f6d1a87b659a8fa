// Claim S18 of docs/security.md: model files from strangers. (test/formats/hostile*.test.ts has each lie by name; proof/fuzz many more.)
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { npyHeader, writeNpy, writeSafetensors } from '../../proof/fuzz/format-files.js';
import { parseNpy, parseSafetensors } from '../../src/formats/index.js';
import { DaxError } from '../../src/index.js';
import { refused } from '../formats/support.js';

const HEADER = JSON.stringify({
  a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
  b: { dtype: 'U8', shape: [8], data_offsets: [24, 32] },
  __metadata__: { from: 'a stranger' },
});

/** The file in the middle of memory that holds other files. */
function fileAmongOthers(): Uint8Array<ArrayBuffer> {
  const { bytes } = writeSafetensors(HEADER, [new Uint8Array(24).fill(1), new Uint8Array(8).fill(2)]);
  const memory = new Uint8Array(bytes.length + 8192).fill(0xaa);
  memory.set(bytes, 4096);
  return memory.subarray(4096, 4096 + bytes.length);
}

describe('a model file from a stranger', () => {
  it('S18: whatever its header says, its tensors are bytes of this file, each of one tensor only', () => {
    const change = fc.tuple(fc.nat(8 + HEADER.length - 1), fc.integer({ min: 0, max: 255 }));
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), (changes) => {
        const file = fileAmongOthers();
        for (const [at, value] of changes) file[at] = value;
        try {
          const { tensors } = parseSafetensors(file, { name: 'model.safetensors' });
          const ranges = [...tensors.values()].map(({ bytes }) => [
            bytes.byteOffset - file.byteOffset,
            bytes.byteOffset - file.byteOffset + bytes.byteLength,
          ]);
          ranges.sort(([a], [b]) => a! - b!);
          let last = 0;
          for (const [from, to] of ranges) {
            expect(from).toBeGreaterThanOrEqual(last);
            last = to!;
          }
          expect(last).toBeLessThanOrEqual(file.length);
          accepted++;
        } catch (error) {
          expect(error).toBeInstanceOf(DaxError);
        }
      }),
      { numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('S18: nothing in it is run: what needs Python code to read is refused', () => {
    refused(
      () => parseNpy(writeNpy(npyHeader("'|O'", false, [1]), new Uint8Array(8)).bytes),
      'EOPNOTSUPP',
      /pickle/,
    );
    refused(
      () => parseNpy(writeNpy('__import__("os").abort()', new Uint8Array(8)).bytes),
      'EBADMSG',
      /a value/,
    );
  });
});
