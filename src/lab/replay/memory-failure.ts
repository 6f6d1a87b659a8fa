/** Which processes get a signal for a memory failure (kernel-dax.md 10). */
import type { MemoryFailureResult } from '../../dax/index.js';
import type { ScenarioProcess } from './process.js';
import type { World } from './world.js';

type Mappers = MemoryFailureResult['mappers'];

/** hard_offline_page: mappers with the early policy get BUS_MCEERR_AO. */
export function hardOffline(world: World, hpa: number): void {
  const { mappers } = world.bus.hardOffline(hpa);
  tell(world, mappers, 'BUS_MCEERR_AO', (process) => process.mcePolicy === 'early');
}

/** madvise(MADV_HWPOISON): only the caller gets BUS_MCEERR_AR. */
export function tellCaller(world: World, caller: ScenarioProcess, mappers: Mappers): void {
  tell(world, mappers, 'BUS_MCEERR_AR', (process) => process === caller);
}

function tell(
  world: World,
  mappers: Mappers,
  code: 'BUS_MCEERR_AO' | 'BUS_MCEERR_AR',
  hears: (process: ScenarioProcess) => boolean,
): void {
  for (const { vma, offset, lsb } of mappers) {
    for (const process of world.processes.values()) {
      const map = process.nameOf(vma);
      if (map !== undefined && hears(process)) process.receive({ signal: 'SIGBUS', code, map, offset, lsb });
    }
  }
}
