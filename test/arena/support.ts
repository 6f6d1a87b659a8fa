/** Pools with arenas for the tests: real memory in a directory of the test's own. */
import { expect } from 'vitest';
import {
  type Arena,
  type CreateArenaOptions,
  createArena,
  fsckArena,
  type OpenArenaOptions,
  openArena,
} from '../../src/arena/index.js';
import type { Volume } from '../../src/famfs/index.js';
import { MIB, Pool } from '../famfs/volume/support.js';

export { MIB };
export const KIB = 1024;

/** Makes pools and arenas, and closes them all. */
export class ArenaLab {
  readonly #pools: Pool[] = [];
  readonly #arenas: Arena[] = [];

  pool(): { pool: Pool; volume: Volume } {
    const pool = new Pool();
    this.#pools.push(pool);
    return { pool, volume: pool.mount() };
  }

  /** A new arena and a handle of it. */
  make(
    options: Partial<CreateArenaOptions> = {},
    open: OpenArenaOptions = {},
  ): { volume: Volume; arena: Arena } {
    const { volume } = this.pool();
    createArena(volume, '/kv', { size: 2 * MIB, slots: 256, ...options });
    return { volume, arena: this.open(volume, open) };
  }

  open(volume: Volume, options: OpenArenaOptions = {}): Arena {
    const arena = openArena(volume, '/kv', options);
    this.#arenas.push(arena);
    return arena;
  }

  close(): void {
    for (const arena of this.#arenas.splice(0)) arena.close();
    for (const pool of this.#pools.splice(0)) pool.close();
  }
}

/** Bytes that tell which key and size they belong to. */
export function bytesOf(key: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = length;
  for (let i = 0; i < key.length; i++) state = Math.imul(state ^ key.charCodeAt(i), 0x01000193);
  for (let i = 0; i < length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 1;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Expects that a checker finds nothing wrong, not even a note. */
export function expectSound(volume: Volume): void {
  expect(fsckArena(volume, '/kv').problems).toEqual([]);
}
