/** Reads the byte transcripts of extent maps (conformance/fuse-extent-maps), one connection at a time. */

import type { FuseAttributes, FuseEntry, NodeId } from '../../../src/fuse/index.js';
import { structs } from '../../../src/fuse/protocol/index.js';
import { kitJson, nameOf, transcripts } from '../../support/conformance.js';

const { Attr, EntryOut, OpenOut } = structs;

export interface Step {
  readonly dir: 'kernel->server' | 'server->kernel' | 'ioctl' | 'client' | 'klog' | 'note' | 'check';
  readonly op?: string;
  readonly hex?: string;
  readonly hexTruncated?: boolean;
  readonly result?: number;
  readonly errno?: string;
  readonly decoded?: Readonly<Record<string, unknown>>;
}

/** The messages of one FUSE connection, from its INIT on. */
export interface Connection {
  readonly name: string;
  readonly steps: readonly Step[];
}

export const extentMapTranscripts = transcripts('fuse-extent-maps').map((file) => {
  const name = nameOf(file);
  const { steps } = kitJson<{ steps: Step[] }>('fuse-extent-maps', `${name}.json.gz`);
  return { name, steps };
});

/** Splits a transcript into its connections. Messages before the first INIT are in none. */
export function connectionsOf({ name, steps }: { name: string; steps: readonly Step[] }): Connection[] {
  const found: { name: string; steps: Step[] }[] = [];
  for (const step of steps) {
    if (step.dir === 'kernel->server' && step.op === 'INIT')
      found.push({ name: `${name} ${found.length + 1}`, steps: [] });
    if (/^(kernel->server|server->kernel|ioctl)$/.test(step.dir)) found.at(-1)?.steps.push(step);
  }
  return found;
}

export const bytesOfStep = ({ hex = '' }: Step): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(hex, 'hex'));

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const number = (view: DataView, at: number) => Number(view.getBigUint64(at, true));

export function attributesIn(bytes: Uint8Array, start: number): FuseAttributes {
  const view = viewOf(bytes);
  const { at } = Attr;
  const time = (seconds: number, nanoseconds: number) => ({
    seconds: number(view, start + seconds),
    nanoseconds: view.getUint32(start + nanoseconds, true),
  });
  const u32 = (offset: number) => view.getUint32(start + offset, true);
  return {
    inode: number(view, start + at.inode),
    mode: u32(at.mode),
    size: number(view, start + at.size),
    blocks: number(view, start + at.blocks),
    links: u32(at.links),
    uid: u32(at.uid),
    gid: u32(at.gid),
    atime: time(at.atime, at.atimeNanoseconds),
    mtime: time(at.mtime, at.mtimeNanoseconds),
    ctime: time(at.ctime, at.ctimeNanoseconds),
    rdev: u32(at.rdev),
    blockSize: u32(at.blockSize),
    isDax: (u32(at.flags) & 2) !== 0,
  };
}

export function entryIn(bytes: Uint8Array, start: number): FuseEntry {
  const view = viewOf(bytes);
  const { at } = EntryOut;
  return {
    node: number(view, start + at.nodeId) as NodeId,
    generation: number(view, start + at.generation),
    entrySeconds: number(view, start + at.entryValid),
    attributeSeconds: number(view, start + at.attributeValid),
    attributes: attributesIn(bytes, start + at.attributes),
  };
}

export interface RecordedOpen {
  readonly handle: number;
  readonly flags: number;
  readonly id32: number;
  /** Null in a short answer. */
  readonly map: number | null;
  readonly bytes: number;
}

export function openIn(bytes: Uint8Array, start: number): RecordedOpen {
  const view = viewOf(bytes);
  const { at } = OpenOut;
  const length = bytes.length - start;
  return {
    handle: number(view, start + at.handle),
    flags: length >= 12 ? view.getUint32(start + at.openFlags, true) : 0,
    id32: length >= 16 ? view.getInt32(start + at.backingId, true) : 0,
    map: length >= 24 ? number(view, start + at.backingId64) : null,
    bytes: length,
  };
}
