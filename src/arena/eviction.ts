/** Makes room in a host's part: what has expired, what was dead and pinned, then objects that nobody pins, as the policy says. */
import { storeU64 } from '../libc/index.js';
import { CONTROL, type Eviction, KIND, SLOT } from './layout.js';
import type { OwnPart } from './own-part.js';

const HIGH = 2 ** 32;

/** Ends objects whose time is over. @returns whether there were any */
export function expire(part: OwnPart, now: number, retire: (slot: number) => void): boolean {
  const due = part.read('nextExpiryHigh') * HIGH + part.read('nextExpiryLow');
  if (due === 0 || now < due) return false;
  let next = 0;
  let any = false;
  for (const slot of inOrder(part)) {
    const expiry = part.expiryOf(slot);
    if (expiry === 0) continue;
    if (expiry <= now) {
      retire(slot);
      part.add('expirations', 1);
      any = true;
    } else if (next === 0 || expiry < next) next = expiry;
  }
  storeU64(part.words, part.control + CONTROL.nextExpiryLow, next);
  return any;
}

/** Bounds walks: a count from a damaged arena may be anything. */
function committedIn(part: OwnPart): number {
  return Math.min(part.read('committed'), part.memory.geometry.slotsPerHost);
}

/** The committed slots, first the next to be evicted. It may be retired or moved while it is walked. */
export function* inOrder(part: OwnPart): IterableIterator<number> {
  let next = part.read('orderHead');
  for (let left = committedIn(part); next !== 0 && left > 0; left--) {
    const slot = next - 1;
    next = part.words[part.word(slot) + SLOT.next]!;
    yield slot;
  }
}

/**
 * Frees runs of at least `units` of the heap, or single slots when `units` is 0, until `attempt` succeeds. It never takes a pinned object.
 * @returns false when there is no such run: everything in the way is pinned or reserved
 */
export function evict(
  part: OwnPart,
  {
    policy,
    units,
    retire,
    attempt,
  }: { policy: Eviction; units: number; retire: (slot: number) => void; attempt: () => boolean },
): boolean {
  if (policy === 'none') return false;
  const pinned = part.members.pinnedSlots();
  const isFree = (slot: number) => !pinned.has(part.firstId + slot);
  const spares = policy === 'clock';
  const committed = committedIn(part);
  // Under clock, the first turn spares what was read lately and moves it to the end. The second turn takes it.
  let next = part.read('orderHead');
  for (let step = 0; next !== 0 && step < committed * (spares ? 2 : 1); step++) {
    const slot = next - 1;
    next = part.words[part.word(slot) + SLOT.next]!;
    if (spares) tick(part);
    if (spares && step < committed && (!isFree(slot) || part.isTouched(slot))) {
      part.unlink(slot);
      part.append(slot);
      if (next === 0) next = part.read('orderHead');
      continue;
    }
    if (!isFree(slot)) continue;
    const run = units === 0 ? [slot] : runAround(part, slot, units, isFree);
    if (run === undefined) continue;
    for (const victim of run) retire(victim);
    part.add('evictions', run.length);
    if (attempt()) return true;
    // A reader has pinned one of them between the look at the pins and its end.
    next = part.read('orderHead');
  }
  return false;
}

/** The clock's epoch counts turns over all committed objects. Readers stamp what they read with it. */
function tick(part: OwnPart): void {
  part.add('clockSteps', 1);
  if (part.read('clockSteps') <= part.read('committed')) return;
  part.words[part.control + CONTROL.clockSteps] = 0;
  part.words[part.control + CONTROL.clockEpoch] = (part.read('clockEpoch') + 1) & 0xff;
  part.memory.writeBack(part.control + CONTROL.clockEpoch, 1);
}

/** The slots of the shortest run found around a slot's piece: it grows upwards, then downwards, over free pieces and objects nobody pins. */
function runAround(
  part: OwnPart,
  slot: number,
  units: number,
  isFree: (slot: number) => boolean,
): number[] | undefined {
  const { heap } = part;
  const start = part.words[part.word(slot) + SLOT.block]!;
  const victims = [slot];
  let room = heap.unitsOf(start);
  for (const side of ['behind', 'before'] as const) {
    let block = start;
    for (let left = part.memory.geometry.blocksPerHost; room < units && left > 0; left--) {
      block = heap.neighbour(block, side);
      if (block === 0) break;
      if (!heap.isFree(block)) {
        const owner = heap.slotOf(block);
        if (part.kind(owner) !== KIND.committed || !isFree(owner)) break;
        victims.push(owner);
      }
      room += heap.unitsOf(block);
    }
  }
  return room >= units ? victims : undefined;
}
