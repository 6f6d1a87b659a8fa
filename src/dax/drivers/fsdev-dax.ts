import { fail } from '../../libc/index.js';
import { type DevPagemap, MEMORY_DEVICE_FS_DAX, PAGE_SIZE } from '../../mm/index.js';
import type { DevDax, RegionType } from '../regions/dev-dax.js';
import { type DaxRange, lengthOf } from '../regions/ranges.js';
import type { Devres } from './devres.js';
import { DaxDriver, type Probed } from './driver.js';
import { FsdevOperations, FsdevPageMapOperations } from './fsdev-operations.js';
import { probePageMap } from './page-map-probe.js';

/** fsdev_dax: a file system can hold the device (famfs mode). Its device file can only be opened. */
export class FsdevDaxDriver extends DaxDriver {
  readonly name = 'fsdev_dax';

  /** Never matches by type. (Version 9 of the patches did, so load order decided which driver was bound: quirk v9-match.) */
  matchesType(type: RegionType): boolean {
    return this.platform.quirks.has('v9-match') && type === 'device';
  }

  probe(device: DevDax, devres: Devres): Probed {
    let dataOffset = 0;
    return probePageMap(
      this.platform,
      {
        name: this.name,
        type: MEMORY_DEVICE_FS_DAX,
        file: 'open',
        vmemmapShift: (_, pageMap) =>
          this.platform.quirks.has('vmemmap-shift-left') ? pageMap.vmemmapShift : 0,
        pageMapOps: () => new FsdevPageMapOperations(this.platform, device, device.ranges),
        prepare: (_, pageMap) => {
          this.#clearAtBothEnds(device, devres);
          dataOffset = devres.acquire('data offset', () => this.#dataOffset(device, pageMap));
        },
        daxOps: (_, pageMap) =>
          new FsdevOperations(this.platform, device, device.ranges, pageMap, dataOffset),
      },
      device,
      devres,
    );
  }

  /** Clears folio state now, and again at unbind, so that the next user gets pages at rest. */
  #clearAtBothEnds(device: DevDax, devres: Devres): void {
    const { pages, quirks } = this.platform;
    const { ranges } = device;
    const clear = (what: readonly DaxRange[]): void => {
      for (const range of what)
        pages.clear(range.start / PAGE_SIZE, lengthOf(range) / PAGE_SIZE, {
          dissolve: !quirks.has('compound-left'),
        });
    };
    devres.acquire(
      'folio state',
      () => clear(ranges),
      () => {
        if (quirks.has('kernel72-mapping-while-bound') && device.ranges.length > ranges.length)
          this.platform.report({
            quirk: 'kernel72-mapping-while-bound',
            invariant: 'I10',
            text: `${device.name}: unbind clears pages of a range that has none (Oops in fsdev_clear_folio_state)`,
          });
        if (!quirks.has('no-clear-on-unbind')) clear(ranges);
      },
    );
  }

  /** The offset of the device's data in its page map, bytes. @throws DaxError EINVAL the page map starts after the data */
  #dataOffset(device: DevDax, pageMap: DevPagemap): number {
    const data = device.ranges[0]!.start;
    if (pageMap.start <= data) return data - pageMap.start;
    if (this.platform.quirks.has('pgmap-starts-after-data')) return 0;
    const where = `pgmap start 0x${pageMap.start.toString(16)} exceeds data start 0x${data.toString(16)}`;
    this.platform.log(4, `fsdev_dax ${device.name}: ${where}`);
    return fail('EINVAL', `${device.name}: ${where}`, { path: device.name });
  }
}
