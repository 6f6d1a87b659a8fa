/** Arrow IPC, files and streams: messages of FlatBuffers metadata, each with a body of buffers. */
import type { VolumeFile } from '../../famfs/index.js';
import { checkArguments, checkMethods, fail, text } from '../../libc/index.js';
import { viewOf } from '../cursor.js';
import {
  type ByteSource,
  bufferSource,
  damaged,
  type FormatBytes,
  type FormatOptions,
  formatBytes,
  formatOptions,
  otherFormat,
  pathOf,
  shownName,
  unsupported,
} from '../source.js';
import { type BatchColumns, type Body, batchOf } from './batch.js';
import { FlatMetadata, type FlatTable, u64At } from './flat-table.js';
import { type ArrowField, type ArrowSchema, schemaOf } from './schema.js';
import type { ArrowVector } from './vector.js';

const MAGIC = 'ARROW1';
const CONTINUED = 0xffffffff;
const FOOTER_TAIL_BYTES = 4 + MAGIC.length;
const BLOCK_BYTES = 24;
const SCHEMA = 1;
const DICTIONARY = 2;
const RECORDS = 3;

/** One record batch. */
export class ArrowBatch {
  readonly rows: number;
  /** In the order of the schema. */
  readonly columns: readonly ArrowVector[];

  /** @internal */
  constructor({ rows, columns }: BatchColumns) {
    this.rows = rows;
    this.columns = columns;
  }
}

/** An Arrow IPC file or stream: its schema and its record batches. */
export class Arrow {
  readonly schema: ArrowSchema;
  readonly batches: readonly ArrowBatch[];
  readonly #source: ByteSource;

  /** @internal parseArrow() and openArrow() make them. */
  constructor(source: ByteSource, schema: ArrowSchema, batches: readonly ArrowBatch[]) {
    this.#source = source;
    this.schema = schema;
    this.batches = batches;
  }

  /** The open file, for pin(), lost and onLost(); undefined when bytes were parsed. */
  get file(): VolumeFile | undefined {
    return this.#source.file;
  }

  /** Rows of all record batches. */
  get rows(): number {
    return this.batches.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** A column, batch by batch. @throws DaxError ENOENT none of that name */
  column(name: string): readonly ArrowVector[] {
    const index = this.schema.fields.findIndex((field) => field.name === name);
    if (index >= 0) return this.batches.map(({ columns }) => columns[index]!);
    const some = this.schema.fields.slice(0, 5).map((field) => shownName(field.name));
    return fail(
      'ENOENT',
      `${this.#source.name} has no column ${shownName(name)}: it has ${some.join(', ')}`,
      {
        ...pathOf(this.#source),
      },
    );
  }

  /** Closes the file that openArrow() opened: its views get length 0. Idempotent. */
  close(): void {
    this.#source.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

checkMethods(Arrow, { column: { name: text } });

/**
 * Reads schema and metadata of an Arrow IPC file or stream. The buffers are views of the given bytes.
 * @throws DaxError EINVAL no Arrow IPC; EBADMSG the metadata is wrong or does not fit the file (byte and reason named);
 *   EOPNOTSUPP compressed buffers
 */
export function parseArrow(bytes: FormatBytes, options: FormatOptions = {}): Arrow {
  checkArguments('parseArrow', [bytes, options], { bytes: formatBytes, options: formatOptions });
  return readArrow(bufferSource(bytes, options.name), options.allowCopy ?? false);
}

export function readArrow(source: ByteSource, allowCopy: boolean): Arrow {
  const isFile =
    source.size >= MAGIC.length && Buffer.from(source.view(0, MAGIC.length)).toString('latin1') === MAGIC;
  const reader = new ArrowReader(source, allowCopy);
  return isFile ? reader.file() : reader.stream();
}

interface Message {
  readonly kind: number;
  readonly header: FlatTable;
  readonly body: Body;
  readonly end: number;
}

class ArrowReader {
  readonly #source: ByteSource;
  readonly #allowCopy: boolean;
  readonly #dictionaries = new Map<bigint, ArrowVector[]>();
  readonly #valueFields = new Map<bigint, ArrowField>();
  readonly #batches: ArrowBatch[] = [];

  constructor(source: ByteSource, allowCopy: boolean) {
    this.#source = source;
    this.#allowCopy = allowCopy;
  }

  file(): Arrow {
    const source = this.#source;
    const tailAt = source.size - FOOTER_TAIL_BYTES;
    const tail = source.view(Math.max(0, tailAt), Math.min(source.size, FOOTER_TAIL_BYTES));
    if (tailAt < 8 || Buffer.from(tail.subarray(4)).toString('latin1') !== MAGIC) {
      damaged(source, Math.max(0, tailAt), `it does not end with ${MAGIC}`);
    }
    const length = viewOf(tail).getInt32(0, true);
    const start = tailAt - length;
    if (length <= 0 || start < 8) damaged(source, tailAt, `the footer length is ${length}`);
    const footer = new FlatMetadata(source, start, length).root();
    const schema = schemaOf(footer.table(1, 'the schema') ?? footer.wrong('the footer has no schema'));
    this.#knowDictionaries(schema.fields);
    for (const at of this.#blocks(footer, start)) {
      const message = this.#message(at, start) ?? damaged(source, at, 'a message of the footer is not there');
      this.#add(message, schema);
    }
    return new Arrow(source, schema, this.#batches);
  }

  /** Where the messages are: dictionaries first. No two share a byte, so that a small file is no huge one. */
  #blocks(footer: FlatTable, end: number): number[] {
    const places: { at: number; end: number }[] = [];
    for (const slot of [2, 3]) {
      const { at, length } = footer.list(slot, BLOCK_BYTES);
      for (let block = at; block < at + length * BLOCK_BYTES; block += BLOCK_BYTES) {
        const offset = u64At(footer.metadata, block, 'the offset of a message');
        const metadataBytes = footer.metadata.view.getInt32(block + 8, true);
        const bodyBytes = u64At(footer.metadata, block + 16, 'the length of a message');
        if (metadataBytes < 8 || offset + metadataBytes + bodyBytes > end) {
          footer.metadata.wrong(block, `a message at byte ${offset} does not end before the footer`);
        }
        places.push({ at: offset, end: offset + metadataBytes + bodyBytes });
      }
    }
    const inOrder = [...places].sort((a, b) => a.at - b.at);
    for (let i = 1; i < inOrder.length; i++) {
      if (inOrder[i - 1]!.end > inOrder[i]!.at) damaged(this.#source, inOrder[i]!.at, 'two messages overlap');
    }
    return places.map(({ at }) => at);
  }

  stream(): Arrow {
    const source = this.#source;
    const first = source.size < 8 ? undefined : this.#firstOf();
    if (!first) return otherFormat(source, 'Arrow IPC', 'it begins neither with ARROW1 nor with a schema');
    const schema = schemaOf(first.header);
    this.#knowDictionaries(schema.fields);
    for (let at = first.end; at < source.size; ) {
      const message = this.#message(at, source.size);
      if (message === null) break;
      this.#add(message, schema);
      at = message.end;
    }
    return new Arrow(source, schema, this.#batches);
  }

  /** The schema that a stream begins with; undefined when it is no stream. */
  #firstOf(): Message | undefined {
    const view = viewOf(this.#source.view(0, 8));
    const isContinued = view.getUint32(0, true) === CONTINUED;
    const length = view.getUint32(isContinued ? 4 : 0, true);
    if (length === 0 || (!isContinued && length + 4 > this.#source.size)) return undefined;
    const message = this.#message(0, this.#source.size);
    return message?.kind === SCHEMA ? message : undefined;
  }

  /** The message at a byte, or null for the mark of the end. */
  #message(at: number, end: number): Message | null {
    const source = this.#source;
    if (at + 8 > end) damaged(source, at, 'a message is cut off');
    const view = viewOf(source.view(at, 8));
    // Before Arrow 0.15 the length came first.
    const prefixBytes = view.getUint32(0, true) === CONTINUED ? 8 : 4;
    const length = view.getInt32(prefixBytes - 4, true);
    if (length === 0) return null;
    const start = at + prefixBytes;
    if (length < 0 || start + length > end) damaged(source, at, `a message has ${length} bytes of metadata`);
    const table = new FlatMetadata(source, start, length).root();
    const bodyBytes = table.u64(3, 'the body length');
    const bodyStart = start + length;
    if (bodyStart + bodyBytes > end) {
      damaged(source, at, `the body of ${bodyBytes} bytes ends beyond byte ${end}`);
    }
    const version = 1 + table.i16(0);
    if (version < 4)
      unsupported(source, `its metadata is of version ${version}`, 'write it with Arrow 0.8 or later');
    const header = table.table(2, 'the header') ?? table.wrong('it has no header');
    const body = {
      source,
      start: bodyStart,
      length: bodyBytes,
      allowCopy: this.#allowCopy,
      isVersion4: version === 4,
    };
    return { kind: table.u8(1), header, body, end: bodyStart + bodyBytes };
  }

  #add({ kind, header, body }: Message, schema: ArrowSchema): void {
    if (kind === RECORDS) {
      this.#batches.push(new ArrowBatch(batchOf(header, schema.fields, body, this.#dictionaries)));
    } else if (kind === DICTIONARY) this.#addDictionary(header, body);
    else if (kind === SCHEMA) damaged(this.#source, body.start, 'a second schema');
    else
      unsupported(
        this.#source,
        `it has a message of kind ${kind}`,
        'schemas, dictionaries and record batches are read',
      );
  }

  #addDictionary(header: FlatTable, body: Body): void {
    const id = header.id(0);
    const field = this.#valueFields.get(id) ?? header.wrong(`the dictionary ${id} is of no column`);
    const data = header.table(1, 'the values') ?? header.wrong(`the dictionary ${id} has no values`);
    const { columns } = batchOf(data, [field], body, this.#dictionaries);
    const known = this.#dictionaries.get(id);
    // A delta only adds: what batches before it have of the dictionary stays right. A copy for each would grow with their square.
    if (known && header.u8(2) !== 0) known.push(...columns);
    else this.#dictionaries.set(id, [...columns]);
  }

  #knowDictionaries(fields: readonly ArrowField[]): void {
    for (const field of fields) {
      const { dictionary, ...values } = field;
      if (dictionary) this.#valueFields.set(dictionary.id, values);
      this.#knowDictionaries(field.children);
    }
  }
}
