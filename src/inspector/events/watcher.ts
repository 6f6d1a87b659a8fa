/**
 * What changes on a machine, seen by looking again and again: the state directory, the holders, the logs of the volumes.
 * A look without news is some loads, a readdir of holders/ and one system call, so a page hears of a change within 100 ms.
 */
import { isError } from '../../libc/index.js';
import { type DeviceInfo, type HolderInfo, Machine } from '../../machine/index.js';
import type { AnyMachine, Looked, LookedVolumes } from '../views/looked.js';
import { mappingsOf } from '../views/mappings.js';
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

/** What a process has mapped of a file. */
interface Mapped {
  readonly device: string;
  readonly pid: number;
  readonly path: string;
  readonly isWritable: boolean;
  bytes: number;
}

interface Seen {
  devices: Map<string, DeviceInfo>;
  holders: Map<string, HolderInfo>;
  mapped: Map<string, Mapped>;
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
    this.#tellMapped(before.mapped, now.mapped);
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

  #tellMapped(before: Seen['mapped'], now: Seen['mapped']): void {
    const tell = (what: string, { device, pid, path, isWritable }: Mapped, bytes: number): void => {
      const how = isWritable ? 'writable' : 'for reading';
      this.#log.add('holders', what, path, `pid ${pid}: ${bytes} bytes, ${how}, on ${device}`);
    };
    for (const [key, mapped] of now) {
      const more = mapped.bytes - (before.get(key)?.bytes ?? 0);
      if (more !== 0) tell(more > 0 ? 'map' : 'unmap', mapped, Math.abs(more));
    }
    for (const [key, mapped] of before) if (!now.has(key)) tell('unmap', mapped, mapped.bytes);
  }

  #look(): Seen {
    const devices = this.#machine.devices();
    const holders = this.#machine.holders();
    const mapped = new Map<string, Mapped>();
    for (const { name } of devices) this.#lookAtMappings(name, holders, mapped);
    return {
      devices: new Map(devices.map((device) => [device.name, device])),
      holders: new Map(holders.map((holder) => [holderKey(holder), holder])),
      mapped,
    };
  }

  /** Adds up the mappings of each process by the file that they are of. */
  #lookAtMappings(device: string, holders: readonly HolderInfo[], into: Map<string, Mapped>): void {
    const mappings = mappingsOf(this.#machine, device, holders);
    if (mappings.length === 0) return;
    const looked = this.#volumes.attempt(device);
    for (const { pid, offset, length, isWritable } of mappings) {
      const owner =
        'survey' in looked ? looked.units.ownerOf(Math.floor(offset / looked.units.unitBytes)) : 0;
      const path = 'survey' in looked && owner > 0 ? shownPath(looked, owner) : device;
      const key = `${device} ${pid} ${isWritable} ${path}`;
      const known = into.get(key);
      if (known) known.bytes += length;
      else into.set(key, { device, pid, path, isWritable, bytes: length });
    }
  }

  #famfsDevices(): string[] {
    if (!(this.#machine instanceof Machine)) return [];
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
