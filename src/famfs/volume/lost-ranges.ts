import type { DaxDevice } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import type { BackingPiece, PhysicalRange } from '../../memory/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import type { LostRange } from '../media/media.js';

/**
 * The parts of a range of a device that cannot be read now: pages whose memory has failed, and bytes past the end of
 * the backing file. They are in order and do not overlap.
 */
export function lostRanges(dax: DaxDevice, offset: number, length: number): LostRange[] {
  const lost: LostRange[] = [];
  let at = offset;
  for (const { start, length: bytes } of dax.physicalRanges(offset, length)) {
    addFailed(lost, dax, at, start, bytes);
    // Bytes that an image never had are not lost: the image holds only the head of a device.
    const backed = Math.min(bytes, dax.memory.backedEnd(start) - start);
    let deviceOffset = at;
    for (const piece of backed > 0 ? dax.memory.locate(start, backed) : []) {
      addCut(lost, deviceOffset, piece);
      deviceOffset += piece.length;
    }
    at += bytes;
  }
  let told = 0;
  return lost
    .sort((a, b) => a.offset - b.offset)
    .filter((range) => {
      if (range.offset < told) return false;
      told = range.offset + range.length;
      return true;
    });
}

function addFailed(lost: LostRange[], dax: DaxDevice, offset: number, hpa: number, bytes: number): void {
  const endPage = Math.ceil((hpa + bytes) / PAGE_SIZE);
  let pfn = Math.floor(hpa / PAGE_SIZE);
  while (pfn < endPage) {
    pfn = dax.pages.firstPoisoned(pfn, endPage - pfn);
    if (pfn < 0) return;
    const first = pfn;
    while (pfn < endPage && dax.pages.isPoisoned(pfn)) pfn++;
    const start = Math.max(hpa, first * PAGE_SIZE);
    const why = `memory at physical address 0x${(first * PAGE_SIZE).toString(16)} has failed`;
    lost.push({
      offset: offset + start - hpa,
      length: Math.min(hpa + bytes, pfn * PAGE_SIZE) - start,
      kind: 'failed',
      why,
    });
  }
}

function addCut(lost: LostRange[], deviceOffset: number, { backing, offset, length }: BackingPiece): void {
  if (!backing.canShrink) return;
  const end = backing.endNow();
  if (offset + length <= end) return;
  const there = Math.max(0, end - offset);
  const why = `${backing.name} ends at byte ${end}`;
  lost.push({ offset: deviceOffset + there, length: length - there, kind: 'cut', why });
}

/**
 * Checks that the memory of the superblock and log has not failed: nothing may be replayed from it or written to it then.
 * @throws DaxError EIO
 */
export function assertMetadataIsHealthy(
  name: string,
  dax: DaxDevice,
  metadata: readonly PhysicalRange[],
): void {
  for (const { start, length } of metadata) {
    const pfn = dax.pages.firstPoisoned(start / PAGE_SIZE, Math.ceil(length / PAGE_SIZE));
    if (pfn < 0) continue;
    fail(
      'EIO',
      `memory of the superblock or log of ${name} has failed (page at physical address ${pfn * PAGE_SIZE}): ` +
        'copy out what can be read (mountFamfs(device, { salvage: true })), mkfs(device, { force: true }), copy it in',
      { path: name, hint: 'salvage' },
    );
  }
}
