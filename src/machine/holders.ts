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

/** pid, start time, time of making, count; in the making with a dot before, and the pid behind. */
const RECORD_NAME = /^(?:\d+-\d+-[0-9a-z]+-\d+|\.\d+-\d+-[0-9a-z]+-\d+(?:\.\d+)?)$/;

/** What a holder file says: HolderInfo and whether it wants the device alone. */
export interface HolderRecord extends HolderInfo {
  exclusive: boolean;
}

/** One use by this machine object: a share in the lock on the memory, and the file that tells about it where one could be made. */
export interface OwnHolder {
  readonly record: HolderRecord;
  readonly file: string | undefined;
  readonly fd: number | undefined;
}

/** All uses of one device by this machine object share its locks. */
interface DeviceUse {
  readonly memory: MemoryUse;
  users: number;
}

/**
 * Where the memory of a device (or of `nodeN`) lies, as machine.json says.
 * @param how use: the memory is opened, to be used; look: only to see who does
 */
export type PlacesOf = (device: string, how: 'use' | 'look') => UsePlace[];

export interface HoldersOptions {
  directory: string;
  fileMode: number;
  /** Tells this machine from others over the same memory, whatever path led to it. */
  machine: string;
  placesOf: PlacesOf;
  /** How long to look for who is in the way. */
  patience?: LockPatience;
}

/**
 * Who has which device open. What excludes others is the lock on the memory (use-lock.ts), which needs no file of ours and dies
 * with its process. holders/ tells about it: one small JSON file per open handle, locked by its owner for as long as
 * the handle lives; a file nobody locks belongs to the dead and is removed. Where no file can be made (a full or read-only
 * file system, a user who may only read) the use is nameless there, and its process is looked up in /proc when it matters.
 * A second Machine object of the same process counts as another process: its mappings are out of our reach.
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
   * Registers a use. The caller has checked who of this machine's holders excludes it.
   * @throws DaxError EBUSY somebody has the memory in a way that excludes this use; as opening the memory
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
    // One that stays is of nobody once its lock is gone: whoever looks next removes it.
    if (holder.file !== undefined) removeLeftover(holder.file);
    if (holder.fd !== undefined) closeDescriptor(holder.fd);
    drop(this.#uses.get(holder.record.device)!);
  }

  ownOf(device: string): OwnHolder[] {
    return [...this.#own].filter((holder) => holder.record.device === device);
  }

  /** Live holders, of this and every other process, in order of age of their files' names. Removes the dead. */
  list(devices: readonly string[] = []): HolderRecord[] {
    const filed = this.#filedByOthers();
    const named = new Set(filed.map((record) => record.device));
    const nameless = devices.filter((device) => !named.has(device)).flatMap((name) => this.#nameless(name));
    return [...filed, ...nameless, ...[...this.#own].map((holder) => holder.record)];
  }

  /** Live holders that are not of this machine object, whether they have a file or not. */
  others(device: string): HolderRecord[] {
    const filed = this.filedOthers(device);
    return filed.length > 0 ? filed : this.#nameless(device);
  }

  /** Those of them that have a file. */
  filedOthers(device: string): HolderRecord[] {
    return this.#filedByOthers().filter((record) => record.device === device);
  }

  /**
   * Keeps everybody else off a device of this machine until the returned function is called; own uses go on.
   * @param scope memory: off its memory as well, by whatever name or machine
   * @param places of a device that machine.json does not have yet
   * @throws DaxError EBUSY naming who is there
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

  /** Others without a file, as far as they can be seen. */
  #nameless(device: string): HolderRecord[] {
    const own = this.#uses.get(device);
    const memory = own?.users ? own.memory : this.#openUse(device);
    try {
      const conflict = memory?.conflict('device');
      if (!conflict) return [];
      const found = conflictHolders(conflict, this.#patience);
      // The pid is unknown where we may not look.
      const holders = found.length > 0 ? found : [{ pid: 0, command: 'a process that this one cannot see' }];
      return holders.map(({ pid, command }) => {
        const startTime = pid === 0 ? 0 : startTimeOf(pid);
        return { pid, startTime, command, device, purpose: 'use', exclusive: false };
      });
    } finally {
      if (memory !== own?.memory) memory?.close();
    }
  }

  /** Unlocked; undefined where the memory is not there, or closed to us: then nobody's lock on it can be seen. */
  #openUse(device: string, places?: UsePlace[]): MemoryUse | undefined {
    try {
      return MemoryUse.open(places ?? this.#placesOf(device, 'look'), slotOf(this.#machine, device));
    } catch (error) {
      if (error instanceof Error && 'code' in error) return undefined;
      throw error;
    }
  }

  #fileFor(record: HolderRecord): { file: string | undefined; fd: number | undefined } {
    // As RECORD_NAME says.
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
      // What somebody else left here is his.
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

/** For a holder that is collected; must not see it. */
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

/** The record of a file that somebody locks; removes a file that nobody locks. */
function readIfAlive(file: string): HolderRecord | undefined {
  try {
    const found = readRecordFile(file);
    if (found?.isAlive) return parse(found.text);
    if (found) removeDead(file);
    return undefined;
  } catch (error) {
    // Closed to us: its lock is still seen.
    if (hasCode(error, 'EACCES')) return undefined;
    throw error;
  }
}

function removeDead(file: string): void {
  try {
    // A dotted file may be in the making by a live process that just has not locked it yet.
    if (path.basename(file).startsWith('.') && Date.now() - fs.statSync(file).mtimeMs < 60_000) return;
    fs.rmSync(file, { force: true });
  } catch (error) {
    // Looking at a machine that we may only read leaves the dead lying.
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
    // Locked but unreadable: somebody is there, we cannot say who.
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

/** mkfs and its like want the device alone; everything else shares it. */
export function isExclusivePurpose(purpose: string, options: HoldOptions | undefined): boolean {
  return options?.exclusive ?? purpose === 'mkfs';
}

/** `pid 4711 (node server.js, mount)` for messages. */
export function describeHolders(records: readonly HolderInfo[]): string {
  return records.map((record) => `pid ${record.pid} (${record.command}: ${record.purpose})`).join(', ');
}

/** Where a mount that uses a device is: its purpose says so (`mount at /mnt`). */
export function mountpointOf({ purpose }: Pick<HolderInfo, 'purpose'>): string | undefined {
  return /^mount at (\/.*)$/s.exec(purpose)?.[1];
}

/** What ends a use of a device, where a mount is what uses it. */
export function endOfUse(records: readonly HolderInfo[]): Pick<DaxErrorDetails, 'hint' | 'hintPath'> {
  const hintPath = records.map(mountpointOf).find((at) => at !== undefined);
  return hintPath === undefined ? {} : { hint: 'umount', hintPath };
}
