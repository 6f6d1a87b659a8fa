import { Bus } from '../../src/dax/index.js';
import type { FamfsDevice } from '../../src/famfs/index.js';
import { type Backing, PhysicalMemory } from '../../src/memory/index.js';

const HPA = 2 ** 40;
const ALIGN = 2 ** 21;

/** A dax device in famfs mode over a memory. The bus, the driver and the physical address map are the real ones. */
export interface ProofDevice extends FamfsDevice {
  /** All of the memory, mapped outside the device. */
  readonly view: Uint8Array;
  close(): void;
}

export function deviceOver(backing: Backing, systemUuid: string): ProofDevice {
  const memory = new PhysicalMemory();
  memory.insert({ start: HPA, length: backing.size, backing, offset: 0 });
  const bus = new Bus({ memory });
  bus.insmod('fsdev_dax');
  bus.addRegion({
    type: 'device',
    start: HPA,
    size: backing.size,
    align: ALIGN,
    targetNode: 0,
    static: true,
  });
  bus.newId('fsdev_dax', 'dax0.0');
  const mapping = memory.map([{ start: HPA, length: backing.size }], { access: 'shared', label: 'proof' });
  const view = mapping.give(new Uint8Array(mapping.buffer));
  return {
    name: 'dax0.0',
    dax: bus.device('dax0.0')!.dax,
    systemUuid,
    writable: true,
    view,
    hold: () => ({ release() {} }),
    close() {
      mapping.close();
      memory.close();
      backing.close();
    },
  };
}

/** The same device as another host sees it. */
export function asHost(device: ProofDevice, systemUuid: string): ProofDevice {
  return { ...device, systemUuid };
}
