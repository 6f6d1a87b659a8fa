import type { OpenFile } from '../../dax/index.js';
import { checkMethods, fail, flag, number, optional, options } from '../../libc/index.js';
import type { Mapping } from '../../memory/index.js';
import { modeOfDriver } from '../../tree/index.js';
import type { Hold, OpenDax } from '../types.js';
import { deviceNamed } from './describe.js';
import type { SharedBus } from './shared-bus.js';

/**
 * An open handle of a device in devdax mode, as open(2) gives. It dies for good when the driver is unbound from the device
 * (kernel-dax.md 12.1: a kernel revives such a handle and corrupts itself).
 */
export class RawDevice implements OpenDax {
  readonly #mappings = new Set<Mapping>();
  #closed = false;
  readonly #shared: SharedBus;
  readonly #file: OpenFile;
  readonly #holder: Pick<Hold, 'release'>;
  readonly #onClose: (device: RawDevice) => void;

  private constructor(
    readonly name: string,
    shared: SharedBus,
    file: OpenFile,
    holder: Pick<Hold, 'release'>,
    onClose: (device: RawDevice) => void,
  ) {
    this.#shared = shared;
    this.#file = file;
    this.#holder = holder;
    this.#onClose = onClose;
  }

  /** @throws DaxError ENODEV, ENXIO not in devdax mode, EBUSY another user has it exclusively */
  static open(
    shared: SharedBus,
    name: string,
    options: { writable?: boolean },
    onClose: (device: RawDevice) => void,
  ): RawDevice {
    const holder = shared.hold(name, 'mmap', false, (bus) => {
      const device = deviceNamed(bus, name);
      if (device.driver === 'device_dax') return;
      const state = device.driver === null ? 'disabled' : `in ${modeOfDriver(device.driver)} mode`;
      fail(
        'ENXIO',
        `${name} is ${state}, raw access needs devdax mode: machine.reconfigure('${name}', 'devdax')`,
        { path: name, hint: 'reconfigure-devdax' },
      );
    });
    const hold: Pick<Hold, 'release'> = { release: () => shared.holders.remove(holder) };
    try {
      const file = shared.model.open(name, { access: options.writable === false ? 'ro' : 'rw' });
      return new RawDevice(name, shared, file, hold, onClose);
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  get size(): number {
    return deviceNamed(this.#shared.current, this.name).size;
  }

  mmap(options: { offset?: number; length?: number; writable?: boolean } = {}): Uint8Array {
    if (this.#closed) fail('EBADF', `${this.name} was closed: open it again`, { path: this.name });
    void this.#shared.current;
    const { offset = 0, writable = this.#file.flags.access !== 'ro' } = options;
    const length = options.length ?? this.size - offset;
    const mapping = this.#file.map({ offset, length, writable });
    this.#mappings.add(mapping);
    // A view keeps its listeners, so it keeps this handle, and the handle keeps the device held.
    mapping.onKill(() => this.#mappings.delete(mapping));
    mapping.onCollected(() => this.#mappings.delete(mapping));
    return mapping.give(new Uint8Array(mapping.buffer));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const mapping of this.#mappings) mapping.close();
    this.#mappings.clear();
    this.#file.close();
    this.#holder.release();
    this.#onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

checkMethods(RawDevice, {
  mmap: {
    options: optional(
      options({ offset: optional(number), length: optional(number), writable: optional(flag) }),
    ),
  },
});
