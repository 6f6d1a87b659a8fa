import fs from 'node:fs';
import path from 'node:path';
import { closing, hasCode, ofdLock, whenClosed, whenCollected } from '../libc/index.js';
import { commandOf, startTimeOf } from './processes.js';
import type { HolderInfo } from './types.js';

/** What a holder file says: HolderInfo and whether it wants the device alone. */
export interface HolderRecord extends HolderInfo {
  exclusive: boolean;
}

/** A holder file of this machine object; its lock lives as long as the descriptor. */
export interface OwnHolder {
  readonly record: HolderRecord;
  readonly file: string;
  readonly fd: number;
}

/**
 * holders/: one small JSON file per open handle, locked by its owner for as long as the handle lives. A file nobody locks
 * belongs to the dead and is removed. Files are made under the machine's lock, so that a change
 * (which has it exclusively) sees every holder or none.
 * A second Machine object of the same process counts as another process: its mappings are out of our reach.
 */
export class Holders {
  private readonly own = new Map<string, OwnHolder>();
  private count = 0;
  private identity: { pid: number; startTime: number; command: string } | undefined;

  constructor(
    private readonly directory: string,
    private readonly fileMode: number,
  ) {}

  /** Registers a use. The caller holds the machine's lock and has checked who else is there. */
  add(device: string, purpose: string, exclusive: boolean): OwnHolder {
    this.identity ??= { pid: process.pid, startTime: startTimeOf('self'), command: commandOf('self') };
    const record: HolderRecord = { ...this.identity, device, purpose, exclusive };
    const unique = `${process.pid}-${this.identity.startTime}-${process.hrtime.bigint().toString(36)}-${this.count++}`;
    const file = path.join(this.directory, unique);
    // Born locked: under a dotted name that nobody reads, then renamed into sight.
    const born = path.join(this.directory, `.${unique}`);
    const fd = fs.openSync(born, 'wx+', this.fileMode);
    try {
      ofdLock(fd, 'exclusive');
      fs.writeSync(fd, `${JSON.stringify(record)}\n`);
      fs.renameSync(born, file);
    } catch (error) {
      fs.closeSync(fd);
      fs.rmSync(born, { force: true });
      throw error;
    }
    const holder = { record, file, fd };
    this.own.set(file, holder);
    whenCollected(holder, `${device}, held for ${purpose}`, closing(fd, file));
    return holder;
  }

  remove(holder: OwnHolder): void {
    if (!this.own.delete(holder.file)) return;
    whenClosed(holder);
    fs.rmSync(holder.file, { force: true });
    fs.closeSync(holder.fd);
  }

  ownOf(device: string): OwnHolder[] {
    return [...this.own.values()].filter((holder) => holder.record.device === device);
  }

  /** Live holders, of this and every other process, in order of age of their files' names. Removes the dead. */
  list(): HolderRecord[] {
    return [...this.othersList(), ...[...this.own.values()].map((holder) => holder.record)];
  }

  /** Live holders that are not of this machine object. */
  others(device: string): HolderRecord[] {
    return this.othersList().filter((record) => record.device === device);
  }

  close(): void {
    for (const holder of [...this.own.values()]) this.remove(holder);
  }

  private othersList(): HolderRecord[] {
    const records: HolderRecord[] = [];
    for (const name of namesIn(this.directory)) {
      const file = path.join(this.directory, name);
      if (this.own.has(file)) continue;
      const record = readIfAlive(file);
      if (record && !name.startsWith('.')) records.push(record);
    }
    return records;
  }
}

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory).sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** The record of a file that somebody locks; removes a file that nobody locks. */
function readIfAlive(file: string): HolderRecord | undefined {
  let fd: number;
  try {
    fd = fs.openSync(file, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    if (!ofdLock(fd, 'shared')) return parse(fs.readFileSync(fd, 'utf8'));
    removeDead(file);
    return undefined;
  } finally {
    fs.closeSync(fd);
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

/** `pid 4711 (node server.js, mount)` for messages. */
export function describeHolders(records: readonly HolderInfo[]): string {
  return records.map((record) => `pid ${record.pid} (${record.command}: ${record.purpose})`).join(', ');
}
