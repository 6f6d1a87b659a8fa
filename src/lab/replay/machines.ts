/** The machines on which the transcripts were recorded: exactly the table of SCHEMA.md. */
import type { RegionType } from '../../dax/index.js';
import { fail } from '../../libc/index.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const ALIGN_2M = 2 * MIB;

export interface RegionShape {
  /** Provider directory below devices/, for the id that the region got. */
  readonly place: (id: number) => string;
  readonly start: number;
  readonly size: number;
  readonly align: number;
  readonly targetNode: number;
}

/** A range of /proc/iomem that the provider claims when it is attached. */
export interface ClaimShape {
  readonly name: string;
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
  readonly busy: boolean;
}

export interface MachineShape {
  readonly pmem: readonly RegionShape[];
  readonly hmem: readonly RegionShape[];
  /** Claims of the DIMM and of its namespaces. */
  readonly pmemClaims: readonly ClaimShape[];
  /** Ranges that are claimed from the start and have nothing to do with dax. */
  readonly foreign: readonly ClaimShape[];
  readonly memmapOnMemory: boolean;
}

function namespace(
  instance: number,
  start: number,
  size: number,
  align: number,
  targetNode: number,
): RegionShape {
  // The nd bus names its devices by its own rules; values show `$nd` instead (paths.ts).
  const place = (id: number) => `platform/ACPI0012:00/ndbus0/region${id}/dax${id}.${instance + 1}`;
  return { place, start, size, align, targetNode };
}

function hmem(index: number, start: number, size: number, targetNode = 1): RegionShape {
  const place = () => `platform/hmem_platform.0/hmem.${index}`;
  return { place, start, size, align: ALIGN_2M, targetNode };
}

function claim(name: string, start: number, end: number, busy = true): ClaimShape {
  return { name, start, end, busy };
}

function dimm(end: number): ClaimShape {
  return claim('Persistent Memory', 0x1_8000_0000, end, false);
}

const nothing: MachineShape = { pmem: [], hmem: [], pmemClaims: [], foreign: [], memmapOnMemory: false };

function pmemMachine(align: number, targetNode: number): MachineShape {
  return {
    ...nothing,
    pmem: [namespace(0, 0x1_80a0_0000, 502 * MIB, align, targetNode)],
    pmemClaims: [dimm(0x1_9fff_ffff), claim('namespace0.0', 0x1_8000_0000, 0x1_809f_ffff)],
  };
}

const pmem = pmemMachine(ALIGN_2M, 0);
const hmemRegions = [hmem(0, 0x1_0000_0000, GIB), hmem(1, 0x1_5000_0000, 512 * MIB)];

const MACHINES: Record<string, MachineShape> = {
  pmem,
  pmem4k: pmemMachine(4096, 0),
  pmem1g: {
    ...nothing,
    pmem: [namespace(0, 0x1_c000_0000, 2 * GIB, GIB, 0)],
    pmemClaims: [dimm(0x2_3fff_ffff), claim('namespace0.0', 0x1_8000_0000, 0x1_bfff_ffff)],
  },
  labels: {
    ...nothing,
    pmem: [
      namespace(0, 0x1_8060_0000, 250 * MIB, ALIGN_2M, 0),
      namespace(1, 0x1_9060_0000, 250 * MIB, ALIGN_2M, 0),
    ],
    pmemClaims: [
      dimm(0x1_9fff_ffff),
      claim('namespace0.0', 0x1_8000_0000, 0x1_805f_ffff),
      claim('namespace0.1', 0x1_9000_0000, 0x1_905f_ffff),
    ],
  },
  hmem: { ...pmem, hmem: hmemRegions },
  mhp: { ...pmem, hmem: hmemRegions, memmapOnMemory: true },
  odd: { ...nothing, hmem: [hmem(0, 0x1_0400_0000, 448 * MIB), hmem(1, 0x1_4400_0000, 64 * MIB)] },
  busy: {
    ...nothing,
    hmem: [hmem(0, 0x1_0020_0000, 510 * MIB), hmem(1, 0x1_4200_0000, 64 * MIB)],
    foreign: [claim('foreign', 0x1_0020_0000, 0x1_07ff_ffff), claim('foreign', 0x1_4200_0000, 0x1_43ff_ffff)],
  },
  nonuma: { ...pmemMachine(ALIGN_2M, -1), hmem: [hmem(0, 0x1_0000_0000, GIB, 0)] },
};

/** @throws DaxError EINVAL the schema has no such machine; `what` names the caller in the message */
export function machineShape(name: string, what = 'setup'): MachineShape {
  const shape = Object.hasOwn(MACHINES, name) ? MACHINES[name] : undefined;
  return (
    shape ?? fail('EINVAL', `${what} asks for machine ${name}: known are ${Object.keys(MACHINES).join(', ')}`)
  );
}

/** What each source of `attach` adds. */
export interface Provider {
  readonly regions: 'pmem' | 'hmem';
  readonly type: RegionType;
  /** Devices start empty. */
  readonly idle: boolean;
  /** Names as `modules` lists them. */
  readonly modules: readonly string[];
}

export const PROVIDERS: Record<string, Provider> = {
  pmem: {
    regions: 'pmem',
    type: 'device',
    idle: false,
    modules: ['dax_pmem', 'libnvdimm', 'nd_btt', 'nd_pmem', 'nfit'],
  },
  hmem: { regions: 'hmem', type: 'kmem', idle: false, modules: ['dax_hmem'] },
  hmem_idle: { regions: 'hmem', type: 'device', idle: true, modules: ['dax_hmem'] },
};
