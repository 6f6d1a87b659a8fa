import type { KernelDeviceInfo, KernelRegionInfo, KernelStatus } from '../../machine/index.js';
import { count, hex, humanSize } from '../output/human.js';
import { formatTable } from '../output/table.js';
import { type DeviceWords, deviceTable, holderTable } from './tables.js';

/** The text of `udax --kernel status`. */
export function describeKernelStatus(status: KernelStatus): string {
  const drivers = status.drivers.join(' ') || 'none';
  const sections = [`dax bus of Linux ${status.release}, drivers ${drivers}`];
  if (!status.hasBus) sections[0] = `Linux ${status.release} has no dax bus loaded`;
  if (status.devices.length === 0) {
    sections.push(
      'no dax device: docs/hardware.md tells how to get one (CXL, NVDIMM, memmap=, a virtual machine); ' +
        'without one, udax create-region -s 1GiB gives memory of this host',
    );
  } else {
    sections.push(regionTable(status.regions), deviceTable(status, wordsOf), addressTable(status.devices));
  }
  if (status.holders.length > 0) sections.push(holderTable(status.holders));
  if (status.unseen > 0) sections.push(unseenText(status.unseen));
  return sections.join('\n\n');
}

/** The sentence on processes that a survey of holders could not look into. */
export function unseenText(unseen: number): string {
  return `${count(unseen, 'process', 'processes')} of other users could not be looked into: root sees all`;
}

function regionTable(regions: readonly KernelRegionInfo[]): string {
  return formatTable(
    [
      { heading: 'REGION', right: true },
      { heading: 'TYPE' },
      { heading: 'SIZE', right: true },
      { heading: 'FREE', right: true },
      { heading: 'ADDRESS' },
      { heading: 'PERSISTENT' },
      { heading: 'PATH' },
    ],
    regions.map((region) => [
      region.id,
      `${region.static ? 'static' : 'dynamic'} ${region.provider}`,
      humanSize(region.size),
      humanSize(region.availableSize),
      known(region.hpa),
      region.persistent ? 'yes' : 'no',
      `/sys/${region.path}`,
    ]),
  );
}

function wordsOf({ node, state, memory }: KernelDeviceInfo): DeviceWords {
  if (memory === null) return { shown: node, state };
  return { shown: node, state: `${memory.online} of ${count(memory.total, 'block')} online` };
}

function addressTable(devices: readonly KernelDeviceInfo[]): string {
  return formatTable(
    [
      { heading: 'DEVICE' },
      { heading: 'ADDRESS' },
      { heading: 'DATA OFFSET', right: true },
      { heading: 'NUMA NODE', right: true },
      { heading: 'AS RAM NODE', right: true },
    ],
    devices.map((device) => [
      device.node,
      known(device.resource),
      known(device.dataOffset),
      device.numaNode < 0 ? 'unknown' : device.numaNode,
      device.targetNode < 0 ? 'unknown' : device.targetNode,
    ]),
  );
}

/** Formats an address, `-` when unknown: only root may read addresses. */
function known(address: number | null): string {
  return address === null ? '-' : hex(address);
}
