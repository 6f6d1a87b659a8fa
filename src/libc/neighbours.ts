/**
 * Ranges of memory, of a device or of a file that are found one by one: one that goes on where the one before it ends is a part of
 * that. Appends `next` or makes the last range longer.
 * @returns whether it did the latter
 */
export function appendJoined<R extends { length: number }>(
  ranges: R[],
  next: R,
  continues: (last: R, next: R) => boolean,
): boolean {
  const last = ranges.at(-1);
  if (last === undefined || !continues(last, next)) {
    ranges.push(next);
    return false;
  }
  last.length += next.length;
  return true;
}

type Addresses = { start: number; length: number };
/** For ranges of addresses. */
export const startsWhereEnds = (last: Addresses, next: Addresses) => last.start + last.length === next.start;
