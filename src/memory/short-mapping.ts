import { MAP_SHARED, mmap, munmap, PROT_READ, PROT_WRITE } from '../libc/index.js';

/** What a range of memory is mapped for, for as long as one call lasts. */
export interface ShortMapping {
  fd: number;
  offset: number;
  length: number;
  granule: number;
  writable: boolean;
}

/** Maps a range shared, hands its address to `use`, and unmaps. No JavaScript view ever sees it. */
export function withShortMapping(range: ShortMapping, use: (address: number) => void): void {
  const { fd, offset, length, granule } = range;
  const lead = offset % granule;
  const mapped = Math.ceil((lead + length) / granule) * granule;
  const prot = range.writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const base = mmap(0, mapped, prot, MAP_SHARED, fd, offset - lead);
  try {
    use(base + lead);
  } finally {
    munmap(base, mapped);
  }
}
