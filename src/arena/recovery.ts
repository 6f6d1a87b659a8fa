/** Builds the lists, counts and heap of a part anew from its slots: after a writer died in the middle, and when a host takes a part. */
import { loadU64, storeU64 } from '../libc/index.js';
import { CONTROL, KIND, KIND_MASK, SLOT } from './layout.js';
import { checkOf, type OwnPart } from './own-part.js';

/** How long the reservations of a host that lost its part keep their space: its processes may still store into them. */
const QUARANTINE_LEASES = 10;

interface Piece {
  slot: number;
  word: number;
  unit: number;
  units: number;
}

export interface RecoveryOptions {
  /** The part had another owner: its members are void, and its reservations are kept for a while. */
  isTakenOver?: boolean;
}

/**
 * The caller has the writers' lock. What is committed stays; a slot that cannot be one (out of bounds, overlapping an older one, its check
 * is wrong) is freed.
 */
export function rebuild(part: OwnPart, { isTakenOver = false }: RecoveryOptions = {}): void {
  const { words, control, memory } = part;
  const before = words.slice(control, control + memory.geometry.partWords);
  if (isTakenOver) part.members.clearAll();
  else part.members.clearDead();
  const pieces: Piece[] = [];
  const { slotsPerHost } = memory.geometry;
  // Slots beyond the high mark were never used; the mark itself may be lost.
  let high = 0;
  for (let slot = 0; slot < slotsPerHost; slot++) {
    const state = words[part.word(slot)]!;
    if (state === 0) continue;
    high = slot + 1;
    if ((state & KIND_MASK) !== KIND.free) pieces.push(pieceOf(part, slot));
  }
  words[control + CONTROL.slotHigh] = high;
  if (isTakenOver) for (const piece of pieces) stamp(part, piece);
  const kept = withoutRivals(part, keep(part, pieces));
  part.heap.rebuild(
    kept.filter(({ units }) => units > 0),
    SLOT.block,
  );
  relink(part, high, new Set(kept.map(({ slot }) => slot)));
  // What a dead process of this host stored may still be in this host's caches. Of another host's part they hold what we stored.
  if (isTakenOver) memory.writeBackChanges(control, before);
  else memory.writeBack(control, memory.geometry.partWords);
}

function pieceOf(part: OwnPart, slot: number): Piece {
  const word = part.word(slot);
  const isTombstone = part.kind(slot) === KIND.tombstone;
  return { slot, word, unit: part.words[word + SLOT.unit]!, units: isTombstone ? 0 : part.unitsOfSlot(word) };
}

/** A host that lost the part and commits late has an older epoch: what it publishes is not seen. */
function stamp(part: OwnPart, { slot, word }: Piece): void {
  const { words } = part;
  words[word + SLOT.epoch] = words[part.control + CONTROL.epoch]!;
  if (part.kind(slot) !== KIND.reserved || words[word + SLOT.member] === 0) return;
  words[word + SLOT.member] = 0;
  storeU64(words, word + SLOT.expiryLow, Date.now() + QUARANTINE_LEASES * part.memory.geometry.leaseMs);
}

/** Keeps what is whole, by ascending place. Of two that overlap, the one that was committed counts. */
function keep(part: OwnPart, pieces: Piece[]): Piece[] {
  const { unitsPerHost } = part.memory.geometry;
  const rank = ({ slot }: Piece) => (part.kind(slot) === KIND.committed ? 0 : 1);
  const sound = pieces.filter((piece) => isSound(part, piece, unitsPerHost));
  sound.sort((a, b) => a.unit - b.unit || rank(a) - rank(b));
  const kept: Piece[] = [];
  for (const piece of sound) {
    const last = kept.at(-1);
    if (piece.units === 0 || last === undefined || last.unit + last.units <= piece.unit) kept.push(piece);
    else if (rank(piece) < rank(last)) kept[kept.length - 1] = piece;
  }
  return kept;
}

function isSound(part: OwnPart, { slot, word, unit, units }: Piece, unitsPerHost: number): boolean {
  const { words } = part;
  const kind = part.kind(slot);
  if (kind > KIND.tombstone || (words[word + SLOT.keyBytes]! & 0xff) === 0) return false;
  if (words[word + SLOT.keyBytes]! > part.memory.geometry.maxKeyBytes) return false;
  if (kind === KIND.tombstone) return words[word + SLOT.check] === checkOf(words, word);
  if (!(units > 0) || unit + units > unitsPerHost) return false;
  if (kind === KIND.committed) return words[word + SLOT.check] === checkOf(words, word);
  if (kind === KIND.dead) return part.members.isPinned(part.firstId + slot);
  return isReservationLive(part, slot);
}

/** Whether a reservation is still somebody's: its member lives, or its quarantine is not over. */
export function isReservationLive(part: OwnPart, slot: number): boolean {
  const word = part.word(slot);
  const member = part.words[word + SLOT.member]!;
  if (member === 0) return Date.now() < loadU64(part.words, word + SLOT.expiryLow);
  return part.members.isLiving(member - 1, part.words[word + SLOT.incarnation]!);
}

/** Of two committed slots with one key (a writer died while it replaced one), the newer one stays. */
function withoutRivals(part: OwnPart, pieces: Piece[]): Piece[] {
  const { words } = part;
  const byKey = new Map<string, Piece>();
  const lost = new Set<Piece>();
  for (const piece of pieces) {
    const kind = part.kind(piece.slot);
    if (kind !== KIND.committed && kind !== KIND.tombstone) continue;
    const length = words[piece.word + SLOT.keyBytes]! & 0xff;
    const at = (piece.word + SLOT.key) * 4;
    const key = Buffer.from(part.memory.bytes.subarray(at, at + length)).toString('latin1');
    const rival = byKey.get(key);
    if (rival === undefined) byKey.set(key, piece);
    else {
      const isNewer = words[piece.word + SLOT.version]! > words[rival.word + SLOT.version]!;
      lost.add(isNewer ? rival : piece);
      if (isNewer) byKey.set(key, piece);
    }
  }
  return pieces.filter((piece) => !lost.has(piece));
}

/** Frees all other slots, and links and counts those that are kept. */
function relink(part: OwnPart, high: number, kept: Set<number>): void {
  const { words, control } = part;
  for (let word: number = CONTROL.freeSlot; word <= CONTROL.nextExpiryHigh; word++)
    if (word !== CONTROL.slotHigh && word !== CONTROL.freeBlock && word !== CONTROL.blockHigh)
      words[control + word] = 0;
  for (let slot = high - 1; slot >= 0; slot--) {
    if (kept.has(slot)) continue;
    const word = part.word(slot);
    if ((words[word]! & KIND_MASK) !== KIND.free)
      Atomics.store(words, word, (words[word]! & ~KIND_MASK) >>> 0);
    part.putBackSlot(slot);
  }
  mendIndex(part, kept);
  const committed: number[] = [];
  for (const slot of kept) count(part, slot, committed);
  committed.sort((a, b) => words[part.word(a) + SLOT.sequence]! - words[part.word(b) + SLOT.sequence]!);
  for (const slot of committed) part.append(slot);
  const last = committed.at(-1);
  words[control + CONTROL.sequence] = last === undefined ? 0 : words[part.word(last) + SLOT.sequence]! + 1;
}

function count(part: OwnPart, slot: number, committed: number[]): void {
  const word = part.word(slot);
  const kind = part.kind(slot);
  if (kind === KIND.dead) part.toLimbo(slot);
  else if (kind === KIND.tombstone) part.add('tombstones', 1);
  else if (kind === KIND.reserved) {
    part.add('reserved', 1);
    part.add('reservedUnits', part.unitsOfSlot(word));
  } else {
    part.add('committed', 1);
    part.add('usedUnits', part.unitsOfSlot(word));
    committed.push(slot);
    const expiry = part.expiryOf(slot);
    const next = loadU64(part.words, part.control + CONTROL.nextExpiryLow);
    if (expiry !== 0 && (next === 0 || expiry < next))
      storeU64(part.words, part.control + CONTROL.nextExpiryLow, expiry);
  }
}

/** Lets the index name each committed slot once, and nothing else. Readers find everything all the while. */
function mendIndex(part: OwnPart, kept: Set<number>): void {
  const { words, index } = part;
  const isFound = (slot: number) =>
    kept.has(slot) && [KIND.committed, KIND.tombstone].includes(part.kind(slot) as 2);
  const seen = new Set<number>();
  index.mend((tag, slot) => {
    if (!isFound(slot) || seen.has(slot) || words[part.word(slot) + SLOT.hashB] !== tag) return undefined;
    seen.add(slot);
    return { a: words[part.word(slot) + SLOT.hashA]! };
  });
  for (const slot of kept) {
    const word = part.word(slot);
    if (isFound(slot) && !index.has(words[word + SLOT.hashA]!, words[word + SLOT.hashB]!, slot))
      index.insert(words[word + SLOT.hashA]!, words[word + SLOT.hashB]!, slot);
  }
}
