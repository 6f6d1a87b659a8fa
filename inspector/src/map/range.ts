/** The range of a device that the map shows, and how keys and wheel move it. Bytes. */
export interface Range {
  from: number;
  to: number;
}

const PAGE = 4096;
/** The least that is shown: 16 pages. */
const LEAST = 16 * PAGE;

/** The range, moved and cut so that it lies on the device and begins at a page. */
export function onDevice({ from, to }: Range, size: number): Range {
  const length = Math.min(size, Math.max(LEAST, Math.ceil((to - from) / PAGE) * PAGE));
  const start = Math.max(0, Math.min(size - length, Math.floor(from / PAGE) * PAGE));
  return { from: start, to: start + length };
}

/** Shows `factor` times as much, with `at` staying where it is, or in the middle when it is not shown. */
export function zoomed({ from, to }: Range, factor: number, at: number, size: number): Range {
  const length = (to - from) * factor;
  const share = at >= from && at < to ? (at - from) / (to - from) : 0.5;
  return onDevice({ from: at - length * share, to: at + length * (1 - share) }, size);
}

/** Moves by a share of what is shown. */
export function moved({ from, to }: Range, share: number, size: number): Range {
  const by = (to - from) * share;
  return onDevice({ from: from + by, to: to + by }, size);
}

/** Shows all of some extents, with a little around them. */
export function around(extents: readonly { offset: number; length: number }[], size: number): Range {
  const from = Math.min(...extents.map(({ offset }) => offset));
  const to = Math.max(...extents.map(({ offset, length }) => offset + length));
  const margin = (to - from) / 8;
  return onDevice({ from: from - margin, to: to + margin }, size);
}
