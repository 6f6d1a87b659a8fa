import { fail } from '../../libc/index.js';
import type { Platform } from '../core/platform.js';
import { DeviceDaxDriver } from '../drivers/device-dax.js';
import type { DaxDriver } from '../drivers/driver.js';
import { FsdevDaxDriver } from '../drivers/fsdev-dax.js';
import { KmemDriver } from '../drivers/kmem.js';

/** Drivers by the name of their module. */
const DRIVERS: Readonly<Record<string, new (platform: Platform) => DaxDriver>> = {
  device_dax: DeviceDaxDriver,
  fsdev_dax: FsdevDaxDriver,
  kmem: KmemDriver,
};
/** Modules without a driver on this bus. */
const OTHERS = ['hwpoison_inject'];

/** Each open file holds two references to the module: by the node's operations and by the driver. */
const REFERENCES_PER_FILE = 2;

export interface Module {
  readonly name: string;
  /** 2 for each open file, or file that only mappings keep. A bound driver alone does not count. */
  readonly refcount: number;
  readonly driver: DaxDriver | null;
}

class LoadedModule implements Module {
  files = 0;

  constructor(
    readonly name: string,
    readonly driver: DaxDriver | null,
  ) {}

  get refcount(): number {
    return this.files * REFERENCES_PER_FILE;
  }
}

/** Loaded modules, in load order. */
export class Modules {
  #loaded: LoadedModule[] = [];
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  get list(): readonly Module[] {
    return this.#loaded;
  }

  get drivers(): readonly DaxDriver[] {
    return this.#loaded.flatMap(({ driver }) => driver ?? []);
  }

  driver(name: string): DaxDriver | undefined {
    return this.#loaded.find((module) => module.name === name)?.driver ?? undefined;
  }

  /** Loads a module. @returns its driver, if it has one. @throws DaxError EEXIST loaded already; ENOENT no such module */
  load(name: string): DaxDriver | null {
    const Driver = Object.hasOwn(DRIVERS, name) ? DRIVERS[name] : undefined;
    if (Driver === undefined && !OTHERS.includes(name)) fail('ENOENT', `there is no module ${name}`);
    if (this.#loaded.some((module) => module.name === name))
      fail('EEXIST', `module ${name} is loaded already`);
    const driver = Driver === undefined ? null : new Driver(this.#platform);
    this.#loaded.push(new LoadedModule(name, driver));
    return driver;
  }

  /** The module, when it can be unloaded. @throws DaxError ENOENT not loaded; EAGAIN in use */
  unloadable(name: string): Module {
    const module = this.#loaded.find((candidate) => candidate.name === name);
    if (module === undefined) return fail('ENOENT', `module ${name} is not loaded`);
    if (module.files > 0)
      fail('EAGAIN', `module ${name} is in use by ${module.files} open files or mappings`);
    return module;
  }

  remove(module: Module): void {
    this.#loaded = this.#loaded.filter((other) => other !== module);
  }

  /** Makes these the loaded modules, in this order. Modules that were loaded keep their driver (restore). */
  restore(names: readonly string[]): void {
    const before = this.#loaded;
    this.#loaded = [];
    for (const name of names) {
      const kept = before.find((module) => module.name === name);
      if (kept !== undefined) this.#loaded.push(kept);
      else this.load(name);
    }
  }

  /** Counts a file that was opened under this driver (1), or is gone (-1): its module may be gone too (restore). */
  countFile(driver: string, change: 1 | -1): void {
    for (const module of this.#loaded) if (module.name === driver) module.files += change;
  }
}
