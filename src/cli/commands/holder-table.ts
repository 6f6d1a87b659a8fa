import type { HolderInfo } from '../../machine/index.js';
import { formatTable } from '../output/table.js';

/** Who has what open, for people. */
export function holderTable(holders: readonly HolderInfo[]): string {
  return formatTable(
    [{ heading: 'PID', right: true }, { heading: 'DEVICE' }, { heading: 'PURPOSE' }, { heading: 'COMMAND' }],
    holders.map((holder) => [holder.pid, holder.device, holder.purpose, holder.command]),
  );
}
