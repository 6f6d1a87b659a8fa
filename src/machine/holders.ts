import fs from 'node:fs';
import path from 'node:path';
import {
  asDaxError,
  closeDescriptor,
  closing,
  commandOf,
  type DaxErrorDetails,
  fail,
  hasCode,
  type LockPatience,
  makeRecordFile,
  readRecordFile,
  removeLeftover,
  startTimeOf,
  whenClosed,
  whenCollected,
} from '../libc/index.js';
import type { HolderInfo, HoldOptions } from './types.js';
import {
  conflictHolders,
  conflictText,
  MemoryUse,
  slotOf,
  type UsePlace,
  type UseScope,
} from './use-lock.js';

/**
 * Names of holder files: pid, start time, time of making, count. A file in the making has a dot in front, and may have a pid at
 * the end.
 */
const RECORD_NAME = /^(?:\d+-\d+-[0-9a-z]+-\d+|\.\d+-\d+-[0-9a-z]+-\d+(?:\.\d+)?)$/;

/** The content of a holder file: HolderInfo, and whether the holder excludes all others. */
export interface HolderRecord extends HolderInfo {
  exclusive: boolean;
}

/** One use by this machine object: a share of the lock on the memory, and a holder file where one could be made. */
export interface OwnHolder {
  readonly record: HolderRecord;
  readonly file: string | undefined;
  readonly fd: number | undefined;
}

/** The locks that all uses of one device by this machine object share. */
interface DeviceUse {
  readonly memory: MemoryUse;
  users: number;
}

/**
 * Where the memory of a device (or of `nodeN`) lies, according to machine.json.
 * @param how use: the memory is opened in order to use it; look: only in order to see who uses it
 */
export type PlacesOf = (device: string, how: 'use' | 'look') => UsePlace[];

export interface HoldersOptions {
  directory: string;
  fileMode: number;
  /** Identifies this machine among others over the same memory, whatever path it was opened by. */
  machine: string;
  placesOf: PlacesOf;
  /** How long to search for the process that is in the way. */
  patience?: LockPatience;
}

/**
 * The processes that have devices open. The lock on the memory (use-lock.ts) excludes other processes. It needs no file of ours
 * and ends with its process. holders/ describes the users: one small JSON file for each open handle, which its process keeps
 * locked for as long as the handle lives. A file that nobody locks belongs to a dead process and is removed. Sometimes no file
 * can be made: the file system is full or read-only, or this user may only read. Then the use is nameless, and its process is
 * looked up in /proc when it is needed.
 * A second Machine object of the same process counts as another process, because this object cannot end its mappings.
 */
export class Holders {
  readonly #directory: string;
  readonly #fileMode: number;
  readonly #machine: string;
  readonly #placesOf: PlacesOf;
  readonly #patience: LockPatience;
  readonly #own = new Set<OwnHolder>();
  readonly #uses = new Map<string, DeviceUse>();
  #count = 0;
  #identity: { pid: number; startTime: number; command: string } | undefined;

  constructor(options: HoldersOptions) {
    this.#directory = options.directory;
    this.#fileMode = options.fileMode;
    this.#machine = options.machine;
    this.#placesOf = options.placesOf;
    this.#patience = options.patience ?? {};
  }

  /**
   * Registers a use. The caller has already checked the holders of this machine.
   * @throws DaxError EBUSY another process has the memory in a way that excludes this use; as opening the memory
   */
  add(device: string, purpose: string, exclusive: boolean): OwnHolder {
    this.#identity ??= { pid: process.pid, startTime: startTimeOf('self'), command: commandOf('self') };
    const use = this.#share(device, exclusive);
    const record: HolderRecord = { ...this.#identity, device, purpose, exclusive };
    try {
      const holder: OwnHolder = { record, ...this.#fileFor(record) };
      this.#own.add(holder);
      const { file, fd } = holder;
      const what = `${device}, held for ${purpose}`;
      whenCollected(holder, what, dropping(use, fd === undefined ? undefined : closing(fd, file)));
      return holder;
    } catch (error) {
      drop(use);
      throw error;
    }
  }

  remove(holder: OwnHolder): void {
    if (!this.#own.delete(holder)) return;
    whenClosed(holder);
    // A file that cannot be removed has no lock after this: the next process that lists the holders removes it.
    if (holder.file !== undefined) removeLeftover(holder.file);
    if (holder.fd !== undefined) closeDescriptor(holder.fd);
    drop(this.#uses.get(holder.record.device)!);
  }

  ownOf(device: string): OwnHolder[] {
    return [...this.#own].filter((holder) => holder.record.device === device);
  }

  /**
   * Live holders of every process, those of this machine object last; the others in the order of their file names. Removes files
   * of dead holders.
   */
  list(devices: readonly string[] = []): HolderRecord[] {
    const filed = this.#filedByOthers();
    const named = new Set(filed.map((record) => record.device));
    const nameless = devices.filter((device) => !named.has(device)).flatMap((name) => this.#nameless(name));
    return [...filed, ...nameless, ...[...this.#own].map((holder) => holder.record)];
  }

  /** Live holders outside this machine object, with or without a file. */
  others(device: string): HolderRecord[] {
    const filed = this.filedOthers(device);
    return filed.length > 0 ? filed : this.#nameless(device);
  }

  /** Live holders outside this machine object that have a file. */
  filedOthers(device: string): HolderRecord[] {
    return this.#filedByOthers().filter((record) => record.device === device);
  }

  /**
   * Keeps all other users off a device of this machine until the returned function is called. Uses of this machine object go on.
   * @param scope memory: also keeps them off the device's memory, whatever name or machine they use
   * @param places memory of a device that machine.json does not have yet
   * @throws DaxError EBUSY naming the user that is in the way
   */
  takeAlone(device: string, scope: UseScope, places?: UsePlace[]): () => void {
    const own = this.#uses.get(device);
    const memory = own?.users ? own.memory : this.#openUse(device, places);
    if (!memory) return () => {};
    const close = (): void => {
      if (memory !== own?.memory) memory.close();
    };
    const taken = closingOnFailure(close, () => memory.takeAlone(scope));
    if (typeof taken === 'function') {
      return () => {
        taken();
        close();
      };
    }
    const who = conflictText(taken, this.#patience);
    close();
    return fail('EBUSY', `${device} is in use by ${who}: end that use first; nothing was changed`, {
      path: device,
    });
  }

  close(): void {
    for (const holder of [...this.#own]) this.remove(holder);
  }

  #share(device: string, exclusive: boolean): DeviceUse {
    const known = this.#uses.get(device);
    if (known && known.users > 0) {
      known.users++;
      return known;
    }
    const memory = MemoryUse.open(this.#placesOf(device, 'use'), slotOf(this.#machine, device));
    try {
      const conflict = memory.take(exclusive ? 'exclusive' : 'shared', device);
      if (conflict) {
        fail(
          'EBUSY',
          `${device} is in use by ${conflictText(conflict, this.#patience)}: let it end that first`,
          {
            path: device,
          },
        );
      }
    } catch (error) {
      memory.close();
      throw error;
    }
    const use = { memory, users: 1 };
    this.#uses.set(device, use);
    return use;
  }

  /** Holders outside this machine object that have no file, as far as this process can see them. */
  #nameless(device: string): HolderRecord[] {
    const own = this.#uses.get(device);
    const memory = own?.users ? own.memory : this.#openUse(device);
    try {
      const conflict = memory?.conflict('device');
      if (!conflict) return [];
      const found = conflictHolders(conflict, this.#patience);
      // The pid is unknown when this user may not look into the other process.
      const holders =
        found.length > 0 ? found : [{ pid: 0, command: 'a process that this one does not find' }];
      return holders.map(({ pid, command }) => {
        const startTime = pid === 0 ? 0 : startTimeOf(pid);
        return { pid, startTime, command, device, purpose: 'use', exclusive: false };
      });
    } finally {
      if (memory !== own?.memory) memory?.close();
    }
  }

  /**
   * Opens the memory and takes no lock. Undefined when the memory is missing or this user may not open it: then its locks cannot
   * be seen.
   */
  #openUse(device: string, places?: UsePlace[]): MemoryUse | undefined {
    try {
      return MemoryUse.open(places ?? this.#placesOf(device, 'look'), slotOf(this.#machine, device));
    } catch (error) {
      if (error instanceof Error && 'code' in error) return undefined;
      throw error;
    }
  }

  #fileFor(record: HolderRecord): { file: string | undefined; fd: number | undefined } {
    // The form is that of RECORD_NAME.
    const unique = `${record.pid}-${record.startTime}-${process.hrtime.bigint().toString(36)}-${this.#count++}`;
    const file = path.join(this.#directory, unique);
    try {
      return { file, fd: makeRecordFile(file, this.#fileMode, record) };
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'ENOENT')) throw error;
      return { file: undefined, fd: undefined };
    }
  }

  #filedByOthers(): HolderRecord[] {
    const own = new Set([...this.#own].map((holder) => holder.file));
    const records: HolderRecord[] = [];
    for (const name of namesIn(this.#directory)) {
      // Other files here are not ours to read or remove.
      if (!RECORD_NAME.test(name)) continue;
      const file = path.join(this.#directory, name);
      if (own.has(file)) continue;
      const record = readIfAlive(file);
      if (record && !name.startsWith('.')) records.push(record);
    }
    return records;
  }
}

function closingOnFailure<T>(close: () => void, act: () => T): T {
  try {
    return act();
  } catch (error) {
    close();
    throw error;
  }
}

function drop(use: DeviceUse): void {
  if (--use.users === 0) use.memory.close();
}

/** Ends a use after its holder was garbage-collected. The closure must not refer to the holder. */
function dropping(use: DeviceUse, close: (() => void) | undefined): () => void {
  return () => {
    close?.();
    drop(use);
  };
}

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory).sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw asDaxError(error, `${directory} cannot be read`, directory);
  }
}

/** Reads a holder file that somebody locks. Removes a file that nobody locks. */
function readIfAlive(file: string): HolderRecord | undefined {
  try {
    const found = readRecordFile(file);
    if (found?.isAlive) return parse(found.text);
    if (found) removeDead(file);
    return undefined;
  } catch (error) {
    // This user may not read the file. The lock on the memory still shows the use.
    if (hasCode(error, 'EACCES')) return undefined;
    throw error;
  }
}

function removeDead(file: string): void {
  try {
    // A live process may just have made a dotted file and not locked it yet.
    if (path.basename(file).startsWith('.') && Date.now() - fs.statSync(file).mtimeMs < 60_000) return;
    fs.rmSync(file, { force: true });
  } catch (error) {
    // A user who may only read the machine cannot remove the files of dead holders.
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT')) throw error;
  }
}

function parse(text: string): HolderRecord {
  try {
    const value = JSON.parse(text) as Partial<HolderRecord>;
    return {
      pid: Number(value.pid ?? 0),
      startTime: Number(value.startTime ?? 0),
      command: String(value.command ?? '?'),
      device: String(value.device ?? '?'),
      purpose: String(value.purpose ?? '?'),
      exclusive: value.exclusive === true,
    };
  } catch {
    // The file is locked but unreadable: there is a holder, but its name is unknown.
    return {
      pid: 0,
      startTime: 0,
      command: '?',
      device: '?',
      purpose: 'unreadable holder file',
      exclusive: true,
    };
  }
}

/** Whether a hold excludes all others: what `options` says, else true for mkfs only. */
export function isExclusivePurpose(purpose: string, options: HoldOptions | undefined): boolean {
  return options?.exclusive ?? purpose === 'mkfs';
}

/** Describes holders in a message: `pid 4711 (node server.js: mount)`. */
export function describeHolders(records: readonly HolderInfo[]): string {
  return records.map((record) => `pid ${record.pid} (${record.command}: ${record.purpose})`).join(', ');
}

/** @throws DaxError EBUSY naming the holders */
export function failInUse(device: string, holders: readonly HolderInfo[]): never {
  return fail('EBUSY', `${device} is in use by ${describeHolders(holders)}: let them close it first`, {
    path: device,
    ...endOfUse(holders),
  });
}

/** The mount point of a holder that is a mount, taken from its purpose (`mount at /mnt`). */
export function mountpointOf({ purpose }: Pick<HolderInfo, 'purpose'>): string | undefined {
  return /^mount at (\/.*)$/s.exec(purpose)?.[1];
}

/** Returns the hint that ends the use, when one of the holders is a mount. */
export function endOfUse(records: readonly HolderInfo[]): Pick<DaxErrorDetails, 'hint' | 'hintPath'> {
  const hintPath = records.map(mountpointOf).find((at) => at !== undefined);
  return hintPath === undefined ? {} : { hint: 'umount', hintPath };
}
