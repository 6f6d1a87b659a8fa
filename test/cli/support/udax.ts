import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Context } from '../../../src/cli/context.js';
import { kitBytes, kitJson } from '../../support/conformance.js';

export const binary = resolve(import.meta.dirname, '../../../bin/udax.js');

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the built command line in a process of its own, as a user would, in a given root. */
export function udax(root: string, ...args: string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [binary, '--root', root, ...args], {
    encoding: 'utf8',
    env: testEnvironment(),
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

/** Like udax(), without waiting. */
export function startUdax(root: string, ...args: string[]) {
  return spawn(process.execPath, [binary, '--root', root, ...args], { env: testEnvironment() });
}

/** Sets a fixed system uuid, so that nothing outside the test's directory is read or written. */
export function testEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, UDAX_SYSTEM_UUID: '11111111-2222-4333-8444-555555555555', UDAX_DEBUG: '' };
}

/** A directory for one test, removed by the returned function. */
export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'udax-cli-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A context that records what a command prints, so that many commands can run in one process. */
export function recordingContext(
  root: string,
  { json = false } = {},
): Context & { printed: string[]; notes: string[]; documents: unknown[]; written: Uint8Array[] } {
  const printed: string[] = [];
  const notes: string[] = [];
  const documents: unknown[] = [];
  const written: Uint8Array[] = [];
  const output = {
    print: (text: string) => void printed.push(text),
    document: (value: unknown) => void documents.push(JSON.parse(JSON.stringify(value))),
    bytes: async (view: Uint8Array) => void written.push(Uint8Array.from(view)),
    note: (text: string) => void notes.push(text),
  };
  return {
    root,
    role: undefined,
    kernel: undefined,
    given: {},
    setMode: false,
    json,
    output,
    show: (document, text) => (json ? output.document(document) : output.print(text())),
    interruptible: () => new AbortController().signal,
    printed,
    notes,
    documents,
    written,
  };
}

/** What the C code read from a golden image. */
export interface GoldenImage {
  name: string;
  deliberately_bad: boolean;
  device_size: number;
  decoded_by_c: {
    superblock: Record<string, string | number>;
    log: Record<string, string | number>;
    entries: GoldenEntry[];
    bitmap?: { alloc_collisions: number };
  };
}

export interface GoldenEntry {
  i: number;
  errors: number;
  kind: string;
  path: string;
  size: number;
  uid: number;
  gid: number;
  mode: string;
  ext_type: number;
  nextents: number;
  extents?: [number, number, number][];
  nstrips?: number;
  chunk_size?: number;
  strips?: [number, number, number][];
}

export function goldenNames(): string[] {
  const { images } = kitJson<{ images: { name: string }[] }>('famfs', 'manifest.json');
  return images.map(({ name }) => name);
}

/** Unpacks an image into a directory. */
export function goldenImage(name: string, directory: string): { file: string; golden: GoldenImage } {
  const golden = kitJson<GoldenImage>('famfs', `${name}.json`);
  const file = join(directory, `${name}.img`);
  writeFileSync(file, kitBytes('famfs', `${name}.img.gz`));
  return { file, golden };
}
