import { PAGE_SIZE, PMD_SIZE } from '../../mm/index.js';

/** A span of physical memory. */
export interface Span {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/** One range of a device (mappingN). */
export interface DaxRange extends Span {
  /** The number of the device's pages before this range. */
  readonly pageOffset: number;
}

export function lengthOf(span: Span): number {
  return span.end - span.start + 1;
}

export function sizeOf(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + lengthOf(span), 0);
}

/** Bytes: the size of a device and the lengths of its ranges are multiples of this. */
export function allocationUnit(align: number): number {
  return Math.max(align, PMD_SIZE);
}

/** Makes ranges of a device's spans: each gets its page offset from the lengths before it. */
export function numbered(spans: readonly Span[]): DaxRange[] {
  let pageOffset = 0;
  return spans.map(({ start, end }) => {
    const range = { start, end, pageOffset };
    pageOffset += (end - start + 1) / PAGE_SIZE;
    return range;
  });
}

/** The free spans of a region, by ascending address. */
export function gapsOf(region: Span, used: readonly Span[]): Span[] {
  const gaps: Span[] = [];
  let at = region.start;
  for (const span of [...used].sort((a, b) => a.start - b.start)) {
    if (span.start > at) gaps.push({ start: at, end: span.start - 1 });
    at = Math.max(at, span.end + 1);
  }
  if (at <= region.end) gaps.push({ start: at, end: region.end });
  return gaps;
}

/**
 * A device's spans after taking `bytes` from the gaps, lowest first. A gap right after the LAST span extends that span; any
 * other gap becomes a new span at the end of the list. The caller has checked that the gaps hold enough.
 */
export function grown(spans: readonly Span[], gaps: readonly Span[], bytes: number): Span[] {
  const result = [...spans];
  let missing = bytes;
  for (const gap of gaps) {
    if (missing === 0) break;
    const part = Math.min(missing, lengthOf(gap));
    const last = result[result.length - 1];
    const end = gap.start + part - 1;
    if (last !== undefined && last.end + 1 === gap.start)
      result[result.length - 1] = { start: last.start, end };
    else result.push({ start: gap.start, end });
    missing -= part;
  }
  return result;
}

/** A device's spans after giving `bytes` back, from the last span backwards. Empty spans are removed. */
export function shrunk(spans: readonly Span[], bytes: number): Span[] {
  const result = [...spans];
  let surplus = bytes;
  while (surplus > 0) {
    const last = result.pop()!;
    const length = lengthOf(last);
    if (length > surplus) result.push({ start: last.start, end: last.end - surplus });
    surplus -= Math.min(length, surplus);
  }
  return result;
}
