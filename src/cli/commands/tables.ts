import { type DeviceInfo, type HolderInfo, mountpointOf } from '../../machine/index.js';
import { humanSize } from '../output/human.js';
import { formatTable } from '../output/table.js';

/** How a status shows a device: its name or node, and its state in words. */
export interface DeviceWords {
  shown: string;
  state: string;
}

/** The table of a bus's devices. */
export function deviceTable<D extends DeviceInfo>(
  { devices, holders }: { devices: readonly D[]; holders: readonly HolderInfo[] },
  wordsOf: (device: D) => DeviceWords,
): string {
  return formatTable(
    [
      { heading: 'DEVICE' },
      { heading: 'MODE' },
      { heading: 'STATE' },
      { heading: 'DRIVER' },
      { heading: 'SIZE', right: true },
      { heading: 'ALIGN', right: true },
      { heading: 'HOLDERS', right: true },
    ],
    devices.map((device) => {
      const { shown, state } = wordsOf(device);
      const { name, mode, driver, size, align } = device;
      const held = holders.filter((holder) => holder.device === name).length;
      return [shown, mode, state, driver ?? '-', humanSize(size), humanSize(align), held];
    }),
  );
}

/** The table of holders. For a mount it also shows the command that ends it. */
export function holderTable(holders: readonly HolderInfo[]): string {
  return formatTable(
    [{ heading: 'PID', right: true }, { heading: 'DEVICE' }, { heading: 'PURPOSE' }, { heading: 'COMMAND' }],
    holders.map((holder) => [holder.pid, holder.device, purposeOf(holder), holder.command]),
  );
}

function purposeOf(holder: HolderInfo): string {
  const at = mountpointOf(holder);
  return at === undefined ? holder.purpose : `${holder.purpose}, ended by: udax umount ${at}`;
}
