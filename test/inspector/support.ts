/** A machine with a famfs of real files, an inspector over it, and requests to that. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createArena, openArena } from '../../src/arena/index.js';
import { type Machine, mkfs, mountFamfs, openMachine, type Volume } from '../../src/index.js';
import { type Inspector, type InspectorOptions, startInspector } from '../../src/inspector/index.js';

export const MIB = 2 ** 20;

export interface Scene {
  readonly root: string;
  /** The machine of the process that uses the memory. */
  readonly machine: Machine;
  /** Another machine object over the same directory: to the others, another process. */
  readonly looking: Machine;
  readonly inspector: Inspector;
  /** Mounts dax0.0 as its master. The caller closes it. */
  mount(): Volume;
  ask(path: string, options?: Asking): Promise<Answer>;
  /** The document that a path of the API answers with status 200. */
  get<T>(path: string): Promise<T>;
  close(): Promise<void>;
}

export interface Asking {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Leaves the token out. */
  isStranger?: boolean;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface SceneOptions extends InspectorOptions {
  /** Of dax0.0; default 128 MiB. */
  size?: number | string;
}

/** dax0.0 in famfs mode with a file system on it, dax1.0 in devdax mode. */
export async function makeScene({ size = '128MiB', ...options }: SceneOptions = {}): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'udax-inspector-'));
  const root = join(directory, 'state');
  process.env.UDAX_SYSTEM_UUID = '11111111-2222-4333-8444-555555555555';
  const machine = openMachine(root, { create: true });
  machine.createRegion({ size, sparse: true });
  machine.createRegion({ size: '16MiB', sparse: true });
  machine.reconfigure('dax0.0', 'famfs');
  mkfs(machine.device('dax0.0'));
  const looking = openMachine(root);
  const inspector = await startInspector(looking, options);
  const ask = (path: string, asking: Asking = {}) => askAt(inspector, path, asking);
  return {
    root,
    machine,
    looking,
    inspector,
    mount: () => mountFamfs(machine.device('dax0.0')),
    ask,
    get: async <T>(path: string) => {
      const { status, text } = await ask(`/api/${path}`);
      if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
      return JSON.parse(text) as T;
    },
    close: async () => {
      await inspector.close();
      looking.close();
      machine.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** One request, with the token unless told otherwise. */
export function askAt({ port, token }: Inspector, path: string, asking: Asking = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, isStranger = false } = asking;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        headers: { ...(isStranger ? {} : { 'x-udax-token': token }), ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Files of all kinds: plain, of odd sizes, striped, in directories, an arena with objects. */
export function fill(volume: Volume): void {
  volume.mkdir('/models');
  volume.create('/models/weights.bin', { size: 20 * MIB }).close();
  volume.create('/models/odd', { size: 5 * MIB + 17 }).close();
  volume
    .create('/striped', { size: 16 * MIB, stripe: { nstrips: 4, nbuckets: 8, chunkSize: 2 * MIB } })
    .close();
  createArena(volume, '/kv', { size: 4 * MIB, slots: 64 });
  const arena = openArena(volume, '/kv');
  try {
    arena.put('first', new Uint8Array(1000).fill(1));
    arena.put('second', new Uint8Array(3000).fill(2));
  } finally {
    arena.close();
  }
}
