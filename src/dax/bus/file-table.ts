import { fail } from '../../libc/index.js';
import type { Platform } from '../core/platform.js';
import type { FailedUnit, FileHost } from '../files/file-host.js';
import { OpenFile, type OpenFlags } from '../files/open-file.js';
import type { Vma } from '../files/vma.js';
import type { Binding, DevDax } from '../regions/dev-dax.js';
import type { Modules } from './modules.js';

/** The calls of mappings that inject memory failures (madvise). */
export interface FailureCalls {
  hardOffline(hpa: number, flags: number): { mappers: FailedUnit<Vma>[] };
  softOffline(hpa: number): void;
}

/** Open files and live mappings of a bus. Each file holds its driver's module until the file and its mappings are gone. */
export class FileTable {
  readonly #files = new Set<OpenFile>();
  readonly vmas = new Set<Vma>();
  readonly #host: FileHost<Vma>;
  readonly #platform: Platform;
  readonly #modules: Modules;
  readonly #minors: Minors;

  constructor(platform: Platform, modules: Modules, minors: Minors, failures: FailureCalls) {
    this.#platform = platform;
    this.#modules = modules;
    this.#minors = minors;
    this.#host = {
      platform,
      vmas: this.vmas,
      fileReleased: (file) => this.#released(file as OpenFile),
      hardOffline: (hpa, flags) => failures.hardOffline(hpa, flags),
      softOffline: (hpa) => failures.softOffline(hpa),
    };
  }

  get files(): ReadonlySet<OpenFile> {
    return this.#files;
  }

  /** @throws DaxError ENXIO no driver, or kmem; EINVAL O_DIRECT */
  open(device: DevDax, flags: OpenFlags): OpenFile {
    const binding = flags.path ? null : this.#openable(device);
    if (flags.direct)
      fail('EINVAL', `/dev/${device.name} cannot be opened with O_DIRECT`, { path: device.name });
    const file = new OpenFile(this.#host, device, binding, flags);
    this.#files.add(file);
    if (binding !== null) this.#modules.countFile(binding.driver, 1);
    return file;
  }

  /** True when the device has an open file, also one of a binding that was undone. O_PATH does not count. */
  isOpen(device: DevDax): boolean {
    for (const file of this.#files) if (file.device === device && file.binding !== null) return true;
    return false;
  }

  #openable(device: DevDax): Binding {
    const { binding } = device;
    if (binding !== null && binding.file !== 'none') return binding;
    if (binding === null && this.#platform.quirks.has('kernel72-open-after-unbind'))
      for (const file of this.#files)
        if (file.device === device && file.binding !== null && !file.closed) return file.binding;
    const why = binding === null ? 'no driver is bound to it' : 'its memory is system RAM';
    return fail('ENXIO', `/dev/${device.name} cannot be opened: ${why}`, { path: device.name });
  }

  #released(file: OpenFile): void {
    this.#files.delete(file);
    if (file.binding !== null) this.#modules.countFile(file.binding.driver, -1);
    if (!file.device.present && !this.isOpen(file.device)) this.#minors.free(file.device.minor);
  }
}

/** Minor numbers: the lowest free one first. A number that an open file still uses is not free. */
export class Minors {
  readonly #used = new Set<number>();

  allocate(): number {
    let minor = 0;
    while (this.#used.has(minor)) minor++;
    this.#used.add(minor);
    return minor;
  }

  /** Marks a stored number as used (restore). */
  reserve(minor: number): void {
    this.#used.add(minor);
  }

  free(minor: number): void {
    this.#used.delete(minor);
  }
}
