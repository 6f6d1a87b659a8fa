// Golden images: media made by C famfs, and what the C decoder printed for them (conformance/README.md).
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bufferMedia, type Media } from '../../src/famfs/index.js';
import { conformance, kitBytes, kitJson } from '../support/conformance.js';

export interface GoldenEntry {
  i: number;
  seqnum: number;
  type: number;
  crc: string;
  errors: number;
  kind: 'file' | 'mkdir' | 'add_daxdev' | 'unknown';
  path: string;
  size: number;
  flags: number;
  uid: number;
  gid: number;
  mode: string;
  ext_type: number;
  nextents: number;
  extents?: [number, number, number][];
  nstrips: number;
  chunk_size: number;
  strips?: [number, number, number][];
  offset_map?: [number, number, number][];
  dd_size: number;
  dd_index: number;
  dd_uuid: string;
}

export interface Golden {
  name: string;
  deliberately_bad: boolean;
  device_size: number;
  log_len: number;
  stored_len: number;
  full_len: number;
  decoded_by_c: {
    superblock: Record<string, number | string> & { check_super_rc: number };
    log: Record<string, number | string> & { validate_header_rc: number };
    entries: GoldenEntry[];
    bitmap?: Record<string, number | string> & { set_ranges: [number, number][]; n_set_ranges: number };
  };
  c_tools: Record<string, { exit_code: number; stdout: string }>;
}

export const goldenNames = readdirSync(join(conformance, 'famfs'))
  .filter((name) => name.endsWith('.img.gz'))
  .map((name) => name.slice(0, -'.img.gz'.length));

export function golden(name: string): Golden {
  return kitJson<Golden>('famfs', `${name}.json`);
}

/** The stored bytes of an image. */
export function storedBytes(name: string): Uint8Array {
  return kitBytes('famfs', `${name}.img.gz`);
}

/** The whole superblock and log area, zero-extended. */
export function goldenMedia(name: string): Media {
  const { full_len, device_size } = golden(name);
  const bytes = new Uint8Array(full_len);
  bytes.set(storedBytes(name));
  return bufferMedia(bytes, { name, size: device_size });
}

/** All entries, also for images whose JSON has only some of them. */
export function goldenEntries(name: string): GoldenEntry[] {
  const file = `${name}.entries.jsonl.gz`;
  if (!existsSync(join(conformance, 'famfs', file))) return golden(name).decoded_by_c.entries;
  const lines = kitBytes('famfs', file).toString('utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as GoldenEntry);
}
