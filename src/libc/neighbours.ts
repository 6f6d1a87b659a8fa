/**
 * Adds a range to a list of ranges. A range that starts where the last one ends makes the last one longer; any other is appended.
 * @param continues whether `next` goes on where `last` ends
 * @returns true when the last range was made longer
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
/** The `continues` of {@link appendJoined} for ranges of addresses. */
export const startsWhereEnds = (last: Addresses, next: Addresses) => last.start + last.length === next.start;
