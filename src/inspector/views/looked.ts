/** The volumes of a machine, each looked at without using it, and looked at anew when it becomes another one. */
import { VolumeSurvey } from '../../famfs/index.js';
import { isError } from '../../libc/index.js';
import type { KernelMachine, Machine } from '../../machine/index.js';
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
   * @throws DaxError ENODEV no such device; ENXIO not in famfs mode; EINVAL no famfs; EBADMSG, EIO
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
    const survey = new VolumeSurvey(this.#machine.device(device));
    try {
      const units = new UnitMap(survey);
      units.update();
      const looked = { survey, units };
      this.#known.set(device, looked);
      return looked;
    } catch (error) {
      survey.close();
      throw error;
    }
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
