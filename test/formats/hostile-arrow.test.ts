/** Arrow metadata that lies: see hostile.test.ts for what is right. */
import { describe, expect, it } from 'vitest';
import { parseArrow } from '../../src/formats/index.js';
import { referenceBytes, refused } from './support.js';

const setU32 = (file: Uint8Array, at: number, value: number) =>
  new DataView(file.buffer as ArrayBuffer, file.byteOffset).setUint32(at, value, true);

describe('a hostile Arrow file', () => {
  it('cut anywhere: an answer or a proper error, never anything else', () => {
    for (const name of ['all.arrow', 'all.arrows']) {
      const whole = referenceBytes(name);
      for (let length = 0; length < whole.length; length += 13) {
        let code: unknown;
        try {
          parseArrow(whole.slice(0, length));
        } catch (error) {
          code = (error as { code?: unknown }).code;
        }
        expect(['EBADMSG', 'EINVAL', undefined], `${name} cut to ${length}`).toContain(code);
      }
    }
  });

  it('a footer or message longer than the file: EBADMSG', () => {
    const file = referenceBytes('all.arrow');
    setU32(file, file.length - 10, file.length);
    refused(() => parseArrow(file), 'EBADMSG', /footer length/);
    const stream = referenceBytes('all.arrows');
    setU32(stream, 4, 2 ** 31 - 1);
    refused(() => parseArrow(stream), 'EBADMSG', /bytes of metadata/);
  });

  // What went wrong: a message of no length, which ends a stream, ended parseArrow() of a file with a TypeError.
  it('a message of the footer that is only the mark of an end: EBADMSG', () => {
    const file = referenceBytes('all.arrow');
    const at = Buffer.from(file.buffer).indexOf(Uint8Array.of(255, 255, 255, 255), 64);
    const view = new DataView(file.buffer);
    // The batches come after the schema and the dictionary: every message but the first loses its length.
    for (let next = at; next > 0; ) {
      if (next % 8 === 0) view.setUint32(next + 4, 0, true);
      next = Buffer.from(file.buffer).indexOf(Uint8Array.of(255, 255, 255, 255), next + 1);
    }
    refused(() => parseArrow(file), 'EBADMSG', /a message of the footer is not there/);
  });

  it('a buffer beyond its message: EBADMSG', () => {
    const stream = referenceBytes('delta.arrows');
    const whole = parseArrow(stream);
    const { byteOffset, byteLength } = whole.batches[0]!.columns[0]!.values!;
    // A buffer is (offset, length): each number that equals the length may be it.
    const errors: string[] = [];
    for (let at = 0; at + 16 <= byteOffset; at += 8) {
      const view = new DataView(stream.slice().buffer);
      if (Number(view.getBigUint64(at, true)) !== byteLength) continue;
      view.setBigUint64(at, 4096n, true);
      try {
        parseArrow(view);
      } catch (error) {
        errors.push((error as Error).message);
      }
    }
    expect(errors).toContainEqual(
      expect.stringMatching(/a buffer of 4096 bytes at \d+ ends beyond its message/),
    );
  });

  // What went wrong: each batch kept a list of its own of all pieces so far.
  it('a dictionary in thousands of pieces is one list, not one for each batch', () => {
    const stream = referenceBytes('delta.arrows');
    const starts: number[] = [];
    for (let at = 0; at < stream.length; at += 8) {
      if (new DataView(stream.buffer).getUint32(at, true) === 0xffffffff) starts.push(at);
    }
    // Schema, dictionary, batch, delta, batch, end.
    expect(starts.length).toBe(6);
    const again = Array.from({ length: 3000 }, () => stream.subarray(starts[3], starts[5]));
    const file = parseArrow(Buffer.concat([stream.subarray(0, starts[5]), ...again]));
    expect(file.batches.length).toBe(3002);
    const dictionaries = new Set(file.column('words').map(({ dictionary }) => dictionary));
    expect(dictionaries.size).toBe(1);
    expect([...dictionaries][0]!.length).toBe(3002);
    expect(file.column('words')[1]!.text(0)).toBe('c');
  });

  it('a few tables that lead to each other again and again are no tree of millions', () => {
    // Each field lists the next one 64 times: 64 ^ 12 fields if every path were walked.
    refused(
      () => parseArrow(schemaOfSharedChildren(12, 64)),
      'EBADMSG',
      /its tables share their parts|outside/,
    );
  });
});

/** A stream whose schema has fields of structs that share their children. Tables lie before what they lead to. */
function schemaOfSharedChildren(levels: number, times: number): Uint8Array {
  const metadata = new Uint8Array(64 + levels * (64 + 4 * times) + 64);
  const view = new DataView(metadata.buffer);
  let at = 4;
  /** A table whose fields are 4 bytes each, by slot. @returns where each field is */
  const table = (slots: Record<number, number>): { table: number; fields: Record<number, number> } => {
    const count = Math.max(...Object.keys(slots).map(Number)) + 1;
    const vtable = at;
    view.setUint16(vtable, 4 + 2 * count, true);
    const start = (vtable + 4 + 2 * count + 3) & ~3;
    view.setInt32(start, start - vtable, true);
    const fields: Record<number, number> = {};
    let next = start + 4;
    for (const [slot, value] of Object.entries(slots)) {
      view.setUint16(vtable + 4 + 2 * Number(slot), next - start, true);
      view.setUint32(next, value, true);
      fields[Number(slot)] = next;
      next += 4;
    }
    view.setUint16(vtable + 2, next - start, true);
    at = next;
    return { table: start, fields };
  };
  const lead = (from: number, to: number) => view.setUint32(from, to - from, true);
  const message = table({ 0: 4, 1: 1, 2: 0 });
  lead(0, message.table);
  const schema = table({ 1: 0 });
  lead(message.fields[2]!, schema.table);
  let list = schema.fields[1]!;
  for (let level = 0; level < levels; level++) {
    lead(list, at);
    view.setUint32(at, times, true);
    const elements = at + 4;
    at = elements + 4 * times;
    const field = table({ 2: 13, 3: 0, 5: 0 }); // struct
    for (let i = 0; i < times; i++) lead(elements + 4 * i, field.table);
    const type = table({ 0: 0 });
    lead(field.fields[3]!, type.table);
    list = field.fields[5]!;
  }
  lead(list, at);
  const stream = new Uint8Array(8 + metadata.length);
  new DataView(stream.buffer).setUint32(0, 0xffffffff, true);
  new DataView(stream.buffer).setUint32(4, metadata.length, true);
  stream.set(metadata, 8);
  return stream;
}
