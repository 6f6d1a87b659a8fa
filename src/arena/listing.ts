/** Walks all objects of an arena, and names single ones. */
import { fail, shown } from '../libc/index.js';
import { CONTROL, type Geometry, KIND, KIND_MASK, SLOT } from './layout.js';
import type { Lookup } from './lookup.js';
import type { ArenaMemory } from './memory.js';
import type { ArenaEntry } from './types.js';

const HIGH = 2 ** 32;

/** The objects that begin with `prefix`. `check` is called now and then: the arena may be closed while it is walked. */
export function* entriesOf(
  memory: ArenaMemory,
  lookup: Lookup,
  prefix: Uint8Array | undefined,
  check: () => void,
): IterableIterator<ArenaEntry> {
  const { hosts, slotsPerHost } = memory.geometry;
  for (let host = 0; host < hosts; host++) {
    if (!lookup.isUsed(host)) continue;
    for (let slot = 0; slot < slotsPerHost; slot++) {
      check();
      const entry = entryAt(memory, host, host * slotsPerHost + slot, prefix);
      if (entry === null) break;
      if (entry !== undefined) yield entry;
    }
  }
}

/** Undefined: nothing to show there. Null: neither there nor behind it. */
function entryAt(
  memory: ArenaMemory,
  host: number,
  id: number,
  prefix: Uint8Array | undefined,
): ArenaEntry | null | undefined {
  const { words, bytes } = memory;
  const word = memory.slotWord(id);
  memory.refetch(word, memory.geometry.slotWords);
  const state = Atomics.load(words, word);
  // A state word of 0 means: never used. Slots are used in order.
  if (state === 0) return null;
  if ((state & KIND_MASK) !== KIND.committed) return undefined;
  if (words[word + SLOT.epoch] !== words[memory.partWord(host) + CONTROL.epoch]) return undefined;
  const keyAt = (word + SLOT.key) * 4;
  const key = bytes.slice(keyAt, keyAt + (words[word + SLOT.keyBytes]! & 0xff));
  const size = words[word + SLOT.lengthHigh]! * HIGH + words[word + SLOT.lengthLow]!;
  const expires = words[word + SLOT.expiryHigh]! * HIGH + words[word + SLOT.expiryLow]!;
  const reference = referenceOf(words, word, id);
  if (Atomics.load(words, word) !== state) return undefined;
  if (expires !== 0 && expires <= Date.now()) return undefined;
  if (prefix?.some((byte, i) => key[i] !== byte)) return undefined;
  const name = Buffer.from(key).toString('utf8');
  return { key, name, size, host, reference, ...(expires !== 0 && { expires }) };
}

/** A name for one object: slot and generation. */
export function referenceOf(words: Uint32Array, word: number, id: number): string {
  return `${id}.${words[word + SLOT.generationHigh]}.${words[word]! >>> 3}`;
}

/** @throws DaxError EINVAL */
export function slotOfReference(
  path: string,
  reference: string,
  { hosts, slotsPerHost }: Geometry,
): { id: number; high: number; low: number } {
  const match = typeof reference === 'string' ? /^(\d{1,10})\.(\d{1,10})\.(\d{1,10})$/.exec(reference) : null;
  const [id, high, low] = (match ?? []).slice(1).map(Number);
  if (id === undefined || id >= hosts * slotsPerHost)
    fail(
      'EINVAL',
      `${shown(reference)} names no object of the arena ${path}: give what the reference of a value said`,
      { path },
    );
  return { id, high: high!, low: low! };
}
