/** Counters over time: what docs/metrics.md names of devices and volumes, sampled from the looks that are there anyway. */

import { Machine } from '../../machine/index.js';
import type { CounterSample } from '../wire.js';
import type { AnyMachine, LookedVolumes } from './looked.js';

/** Five minutes at a sample a second. */
const MOST_SAMPLES = 300;

export class Counters {
  readonly #samples: CounterSample[] = [];

  get samples(): readonly CounterSample[] {
    return this.#samples;
  }

  /**
   * Takes a sample of now, and keeps it.
   * @param more counters of others, which go into the sample as they are
   */
  sample(machine: AnyMachine, volumes: LookedVolumes, more: Readonly<Record<string, number>>): CounterSample {
    const values: Record<string, number> = { ...more };
    for (const { id, availableSize } of machine.regions())
      values[`udax_region_free_bytes{${id}}`] = availableSize;
    const holders = machine.holders();
    const poison = machine instanceof Machine ? machine.poisonList() : [];
    for (const { name, mode, state } of machine.devices()) {
      values[`udax_device_holders{${name}}`] = holders.filter(({ device }) => device === name).length;
      values[`udax_device_poison_bytes{${name}}`] = poison
        .filter(({ device }) => device === name)
        .reduce((sum, { length }) => sum + length, 0);
      if (mode === 'famfs' && state === 'enabled') addVolume(values, volumes, name);
    }
    if (machine instanceof Machine) {
      const { mappings, mappedBytes } = machine.status().process;
      values.process_mappings = mappings;
      values.process_mapped_bytes = mappedBytes;
    }
    const sample = { at: Date.now(), values };
    this.#samples.push(sample);
    if (this.#samples.length > MOST_SAMPLES) this.#samples.shift();
    return sample;
  }
}

function addVolume(values: Record<string, number>, volumes: LookedVolumes, device: string): void {
  const looked = volumes.attempt(device);
  values[`udax_volume_up{${device}}`] = 'survey' in looked ? 1 : 0;
  if (!('survey' in looked)) return;
  const space = looked.survey.statfs();
  const told: Record<string, number> = {
    used_bytes: space.used,
    free_bytes: space.free,
    file_bytes: space.fileBytes,
    rounding_bytes: space.lostToRounding,
    reserved_bytes: space.reserved,
    reclaimable_bytes: space.reclaimable,
    files: space.files,
    directories: space.directories,
    log_used: space.logUsed,
    annex_used: space.annexUsed,
    annex_records: space.annexRecords,
    problems: looked.survey.tree.problemsAndStop.length,
  };
  for (const [name, value] of Object.entries(told)) values[`udax_volume_${name}{${device}}`] = value;
}
