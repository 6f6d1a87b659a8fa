/**
 * What changes on a machine, seen by looking again and again: the state directory, the holders, the logs of the volumes.
 * A look without news is some loads, a readdir of holders/ and one system call, so a page hears of a change within 100 ms.
 */
import { isError } from '../../libc/index.js';
import type { DeviceInfo, HolderInfo } from '../../machine/index.js';
import type { AnyMachine, Looked, LookedVolumes } from '../views/looked.js';
import { shownPath } from '../views/paths.js';
import type { EventLog } from './event-log.js';

/** The most new files of one look that are told one by one. */
const MOST_TOLD = 200;

/** How far a volume was told of. */
interface Told {
  uuid: string;
  entries: number;
  records: number;
}

interface Seen {
  devices: Map<string, DeviceInfo>;
  holders: Map<string, HolderInfo>;
}

const holderKey = ({ pid, startTime, device, purpose }: HolderInfo): string =>
  `${device} ${pid} ${startTime} ${purpose}`;
const holderText = ({ pid, command, purpose }: HolderInfo): string => `pid ${pid} (${command}): ${purpose}`;

export class Watcher {
  readonly #machine: AnyMachine;
  readonly #volumes: LookedVolumes;
  readonly #log: EventLog;
  #seen: Seen;
  readonly #told = new Map<string, Told>();
  readonly #problems = new Map<string, string>();

  constructor(machine: AnyMachine, volumes: LookedVolumes, log: EventLog) {
    this.#machine = machine;
    this.#volumes = volumes;
    this.#log = log;
    this.#seen = this.#look();
    for (const name of this.#famfsDevices()) this.#lookAtVolume(name, true);
  }

  /** Looks at the logs of the volumes. */
  lookAtVolumes(): void {
    for (const name of this.#famfsDevices())
      if (this.#lookAtVolume(name, false)) this.#log.tell({ type: 'volume', device: name });
  }

  /** Looks at devices and holders. */
  lookAtBus(): void {
    const before = this.#seen;
    const now = this.#look();
    this.#seen = now;
    const told = this.#log.seq;
    this.#tellDevices(before.devices, now.devices);
    for (const [key, holder] of now.holders)
      if (!before.holders.has(key)) this.#log.add('holders', 'attach', holder.device, holderText(holder));
    for (const [key, holder] of before.holders)
      if (!now.holders.has(key)) this.#log.add('holders', 'detach', holder.device, holderText(holder));
    if (this.#log.seq !== told) this.#log.tell({ type: 'bus' });
  }

  #tellDevices(before: Seen['devices'], now: Seen['devices']): void {
    for (const [name, { mode, state, size }] of now) {
      const was = before.get(name);
      if (was === undefined) this.#log.add('machine', 'add', name, `${mode}, ${size} bytes`);
      else if (was.mode !== mode || was.state !== state)
        this.#log.add('machine', 'mode', name, `${was.mode} (${was.state}) -> ${mode} (${state})`);
      else if (was.size !== size) this.#log.add('machine', 'size', name, `${was.size} -> ${size} bytes`);
    }
    for (const name of before.keys()) if (!now.has(name)) this.#log.add('machine', 'remove', name, 'is gone');
  }

  #look(): Seen {
    return {
      devices: new Map(this.#machine.devices().map((device) => [device.name, device])),
      holders: new Map(this.#machine.holders().map((holder) => [holderKey(holder), holder])),
    };
  }

  #famfsDevices(): string[] {
    return [...this.#seen.devices.values()]
      .filter(({ mode, state }) => mode === 'famfs' && state === 'enabled')
      .map(({ name }) => name);
  }

  /** @returns whether there was anything new */
  #lookAtVolume(name: string, isFirst: boolean): boolean {
    let looked: Looked;
    try {
      looked = this.#volumes.of(name);
    } catch (error) {
      if (!isError(error)) throw error;
      return this.#tellProblem(name, error.message, isFirst);
    }
    this.#problems.delete(name);
    const { superblock, tree } = looked.survey;
    const now = { uuid: superblock.uuid, entries: tree.nextIndex, records: tree.annex?.records ?? 0 };
    const told = this.#told.get(name);
    this.#told.set(name, now);
    if (isFirst) return false;
    if (told?.uuid !== now.uuid) {
      this.#log.add('volume', 'format', name, `holds the file system ${now.uuid}`);
      return true;
    }
    if (told.entries < now.entries) this.#tellEntries(name, looked, told.entries);
    if (told.records < now.records)
      this.#log.add('volume', 'names', name, `${now.records - told.records} new records of the annex`);
    return told.entries < now.entries || told.records < now.records;
  }

  /** Told once for each reason. */
  #tellProblem(name: string, problem: string, isFirst: boolean): boolean {
    if (this.#problems.get(name) === problem) return false;
    this.#problems.set(name, problem);
    if (this.#told.delete(name) || !isFirst) this.#log.add('volume', 'problem', name, problem);
    return true;
  }

  #tellEntries(device: string, looked: Looked, before: number): void {
    const { tree } = looked.survey;
    const first = Math.max(before, tree.nextIndex - MOST_TOLD);
    if (first > before)
      this.#log.add('volume', 'create', device, `${first - before} names, of which only the number is told`);
    for (let ino = first + 2; ino < tree.nextIndex + 2; ino++) {
      if (!tree.has(ino)) continue;
      const { type, size } = tree.stat(ino);
      this.#log.add('volume', 'create', shownPath(looked, ino), `${type} of ${size} bytes on ${device}`);
    }
  }
}
