import fs from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { DaxError } from '../../src/index.js';

export const referenceFolder = path.resolve(import.meta.dirname, '../../conformance/formats');

/** The bytes of a reference file at an address that every view likes. */
export function referenceBytes(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(fs.readFileSync(path.join(referenceFolder, name)));
}

export const hex = (bytes: ArrayBufferView): string =>
  Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength).toString('hex');

/** Requires an error of this code whose message matches. */
export function refused(act: () => unknown, code: string, message: RegExp): void {
  let error: unknown;
  try {
    act();
  } catch (thrown) {
    error = thrown;
  }
  expect(error, 'nothing was thrown').toBeDefined();
  expect({ code: (error as DaxError).code, message: (error as DaxError).message }).toEqual({
    code,
    message: expect.stringMatching(message),
  });
}
