/** One state: a bus and its actors. It is mutable. To reach a state again, its events run on a new world. */

import { Bus, type DevDax, type OpenFile, type Vma } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import type { Violation } from '../../mm/index.js';
import { FileSystem } from './actors/file-system.js';
import type { Pause, Thread } from './actors/threads.js';
import { BLOCK_BYTES, type Scope } from './scope.js';

/** A call that has not finished. */
export interface RunningThread {
  readonly thread: Thread;
  /** The call in words: "notify dax0.0 1". */
  readonly about: string;
  pause: Pause;
}

const FILE_NAMES = ['f', 'g', 'h'];
const MAPPING_NAMES = ['m', 'n', 'o'];
const FILE_SYSTEM_NAMES = ['A', 'B', 'C'];
const THREAD_NAMES = ['t', 'u', 'v'];

export class World {
  readonly bus: Bus;
  readonly files = new Map<string, OpenFile>();
  readonly vmas = new Map<string, Vma>();
  readonly fileSystems: readonly FileSystem[];
  readonly threads = new Map<string, RunningThread>();
  /** Violations reported by operations that know the right answer. takeViolations() returns them. */
  #violations: Violation[] = [];
  #incidentsSeen = 0;

  constructor(
    readonly scope: Scope,
    quirks: readonly string[],
  ) {
    this.bus = new Bus({ quirks, memoryBlockBytes: BLOCK_BYTES });
    this.fileSystems = FILE_SYSTEM_NAMES.slice(0, scope.limits.fileSystems).map(
      (name) => new FileSystem(name),
    );
    for (const region of scope.regions) this.bus.addRegion(region);
  }

  addRegion(id: number): void {
    const region = this.scope.regions[id] ?? fail('EINVAL', `scope ${this.scope.name} has no region ${id}`);
    this.bus.addRegion(region);
  }

  violated(invariant: string, text: string): void {
    this.#violations.push({ invariant, text });
  }

  /** Returns the violations since the last call: wrong answers, and what would have crashed a kernel. */
  takeViolations(): Violation[] {
    const incidents = this.bus.incidents.slice(this.#incidentsSeen);
    this.#incidentsSeen = this.bus.incidents.length;
    const taken = this.#violations;
    if (taken.length > 0) this.#violations = [];
    return [...taken, ...incidents.map(({ invariant, text }) => ({ invariant, text }))];
  }

  // ---- by name ----

  device(name: string): DevDax {
    return this.bus.device(name) ?? fail('ENODEV', `there is no device ${name}`);
  }

  file(name: string): OpenFile {
    return this.files.get(name) ?? fail('EBADF', `no file ${name} is open`);
  }

  vma(name: string): Vma {
    return this.vmas.get(name) ?? fail('EINVAL', `there is no mapping ${name}`);
  }

  fileSystem(name: string): FileSystem {
    return this.fileSystems.find((known) => known.name === name) ?? fail('EINVAL', `no file system ${name}`);
  }

  /** The lowest free name; null when the scope's limit is reached. */
  freeFile(): string | null {
    return freeName(FILE_NAMES, this.files, this.scope.limits.files);
  }

  freeMapping(): string | null {
    return freeName(MAPPING_NAMES, this.vmas, this.scope.limits.mappings);
  }

  freeThread(): string | null {
    return freeName(THREAD_NAMES, this.threads, this.scope.limits.threads);
  }

  /** Starts a call that stops where other events can overtake it. */
  startThread(name: string, about: string, thread: Thread): void {
    if (this.threads.has(name)) fail('EBUSY', `${name} is running`);
    const first = thread.next();
    if (!first.done) this.threads.set(name, { thread, about, pause: first.value });
  }

  /** Continues a call to its next stop or to its end. EAGAIN while it waits. */
  stepThread(name: string): void {
    const running = this.threads.get(name) ?? fail('ESRCH', `no call ${name} is running`);
    if (!running.pause.ready()) fail('EAGAIN', `${name} waits`);
    this.threads.delete(name);
    const next = running.thread.next();
    if (!next.done) this.threads.set(name, { ...running, pause: next.value });
  }
}

function freeName(names: readonly string[], used: ReadonlyMap<string, unknown>, most: number): string | null {
  if (used.size >= most) return null;
  return names.find((name) => !used.has(name)) ?? null;
}

/** Describes a state in one line: loaded modules, the driver of each device, and its users. */
export function describe(world: World): string {
  const { bus } = world;
  const modules = bus.drivers.map(({ name, ids }) => (ids.length === 0 ? name : `${name}(${ids.join(' ')})`));
  const devices = bus.devices().map(({ name, driver, dax }) => {
    const users = [
      ...world.fileSystems.filter(({ device }) => device?.name === name).map((one) => one.name),
      ...[...world.files].filter(([, file]) => file.device.name === name).map(([file]) => file),
    ];
    const dying = dax.dying ? ' dying' : '';
    return `${name}=${driver ?? 'none'}${dying}${users.length === 0 ? '' : ` used by ${users.join()}`}`;
  });
  const calls = [...world.threads.values()].map(({ about, pause }) => `${about} ${pause.at}`);
  const parts = [modules.join(' ') || 'no modules', devices.join(', ') || 'no devices', ...calls];
  if (!bus.autoprobe) parts.push('autoprobe off');
  return parts.join('; ');
}
