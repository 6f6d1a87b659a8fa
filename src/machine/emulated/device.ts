import type { Bus, DaxDevice } from '../../dax/index.js';
import { checkMethods, fail, flag, optional, options, text } from '../../libc/index.js';
import { modeOfDriver } from '../../tree/index.js';
import { isExclusivePurpose } from '../holders.js';
import type { Hold, HoldOptions, MachineDevice } from '../types.js';
import { deviceNamed } from './describe.js';
import type { SharedBus } from './shared-bus.js';

/** A named device of a machine. Each use looks the device up again, in its current state. */
export class NamedDevice implements MachineDevice {
  readonly #shared: SharedBus;
  readonly #uuid: () => string;

  constructor(
    readonly name: string,
    shared: SharedBus,
    uuid: () => string,
  ) {
    this.#shared = shared;
    this.#uuid = uuid;
  }

  /**
   * The fsdev_dax device. Read at every file read and write, so it may be up to 5 ms old: nobody changes a held device.
   * @throws DaxError ENODEV gone, ENXIO not in famfs mode
   */
  get dax(): DaxDevice {
    return famfsDevice(this.#shared.lately, this.name);
  }

  get systemUuid(): string {
    return this.#uuid();
  }

  get writable(): boolean {
    const device = deviceNamed(this.#shared.current, this.name);
    return this.#shared.backingOf(device.region.id).writable;
  }

  get reservations(): string {
    return this.#shared.directory.volumesPath;
  }

  hold(purpose: string, options?: HoldOptions): Hold {
    const { name } = this;
    const shared = this.#shared;
    const holder = shared.hold(name, purpose, isExclusivePurpose(purpose, options), (bus) => {
      famfsDevice(bus, name);
    });
    return {
      release: () => shared.holders.remove(holder),
      takeAlone: () => shared.takeAlone(name, holder),
    };
  }

  /** Does nothing: the machine closes everything it opened. */
  close(): void {}

  [Symbol.dispose](): void {
    this.close();
  }
}

function famfsDevice(bus: Bus, name: string): DaxDevice {
  const device = deviceNamed(bus, name);
  if (device.driver !== 'fsdev_dax') {
    const state = device.driver === null ? 'disabled' : `in ${modeOfDriver(device.driver)} mode`;
    fail(
      'ENXIO',
      `${name} is ${state}, a file system needs famfs mode: machine.reconfigure('${name}', 'famfs')`,
      { path: name, hint: 'reconfigure-famfs' },
    );
  }
  return device.dax;
}

checkMethods(NamedDevice, {
  hold: { purpose: text, options: optional(options({ exclusive: optional(flag) })) },
});
