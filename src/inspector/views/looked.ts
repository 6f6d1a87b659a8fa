/** The volumes of an emulated machine, each looked at without using it, and looked at anew when it becomes another one. */
import { VolumeSurvey } from '../../famfs/index.js';
import { fail, isError } from '../../libc/index.js';
import { type KernelMachine, Machine, type MachineDevice } from '../../machine/index.js';
import { UnitMap } from './unit-map.js';

export type AnyMachine = Machine | KernelMachine;

/** A volume as far as it was looked at. */
export interface Looked {
  readonly survey: VolumeSurvey;
  readonly units: UnitMap;
}

export class LookedVolumes {
  readonly #machine: AnyMachine;
  readonly #known = new Map<string, Looked>();

  constructor(machine: AnyMachine) {
    this.#machine = machine;
  }

  /**
   * The volume of a device, up to date.
   * @throws DaxError ENODEV no such device; ENXIO not in famfs mode; EINVAL no famfs; EBADMSG, EIO; EOPNOTSUPP the kernel's bus
   */
  of(device: string): Looked {
    const known = this.#known.get(device);
    if (known !== undefined) {
      try {
        known.survey.refresh();
        known.units.update();
        return known;
      } catch (error) {
        if (!isError(error)) throw error;
        this.#forget(device, known);
      }
    }
    if (!(this.#machine instanceof Machine))
      fail(
        'EOPNOTSUPP',
        `${device}: looking into a volume would have its device node open, so it is not done here`,
      );
    const looked = lookAt(this.#machine.device(device));
    this.#known.set(device, looked);
    return looked;
  }

  /** As of(), or the reason why there is none. */
  attempt(device: string): Looked | { problem: string } {
    try {
      return this.of(device);
    } catch (error) {
      if (!isError(error)) throw error;
      return { problem: error.message };
    }
  }

  close(): void {
    for (const [device, looked] of this.#known) this.#forget(device, looked);
  }

  #forget(device: string, { survey }: Looked): void {
    this.#known.delete(device);
    survey.close();
  }
}

function lookAt(device: MachineDevice): Looked {
  const survey = new VolumeSurvey(device);
  try {
    const units = new UnitMap(survey);
    units.update();
    return { survey, units };
  } catch (error) {
    survey.close();
    throw error;
  }
}
