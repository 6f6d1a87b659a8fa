import { MEMORY_DEVICE_GENERIC, orderOfAlign } from '../../mm/index.js';
import type { DevDax, RegionType } from '../regions/dev-dax.js';
import type { Devres } from './devres.js';
import { DaxDriver, type Probed } from './driver.js';
import { probePageMap } from './page-map-probe.js';

/** device_dax: its device file can be mapped, shared only, in pages of the device's align. */
export class DeviceDaxDriver extends DaxDriver {
  readonly name = 'device_dax';

  matchesType(type: RegionType): boolean {
    return type === 'device';
  }

  probe(device: DevDax, devres: Devres): Probed {
    const { name } = this;
    return probePageMap(
      this.platform,
      {
        name,
        type: MEMORY_DEVICE_GENERIC,
        file: 'mmap',
        vmemmapShift: ({ align }) => orderOfAlign(align),
        pageMapOps: () => null,
      },
      device,
      devres,
    );
  }
}
