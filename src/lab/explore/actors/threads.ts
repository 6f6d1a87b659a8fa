/**
 * Calls that other events can interrupt. Each is a generator that stops where a real call can be overtaken, and other events
 * happen in between (decision 2). They call the same rules as all other operations.
 */
import type { Bus, DevDax } from '../../../dax/index.js';
import { PMD_SIZE } from '../../../mm/index.js';
import type { FileSystem } from './file-system.js';

/** Where a call has stopped, and whether it can go on. */
export interface Pause {
  readonly at: string;
  ready(): boolean;
}

export type Thread = Generator<Pause, void>;

/**
 * Tells the holder of a failed page: reads the holder's operations, then calls them. Meanwhile the call is a reader of the
 * device.
 */
export function* notifyThread(device: DevDax, unit: number): Thread {
  const finish = device.dax.beginNotifyFailure(unit * PMD_SIZE, 4096, 0);
  yield { at: 'has the operations', ready: () => true };
  finish();
}

/** An unmount: first the file system lets go of the device's operations, then of the device. */
export function* umountThread(fileSystem: FileSystem): Thread {
  const finish = fileSystem.beginUmount();
  yield { at: 'puts the device', ready: () => true };
  finish();
}

/** An unbind: first new calls fail, then it waits until the last reader has left, then it unbinds. */
export function* unbindThread(bus: Bus, device: DevDax, driver: string): Thread {
  device.dax.beginKill();
  yield { at: 'waits for readers', ready: () => device.dax.readers === 0 };
  bus.unbind(driver, device.name);
}
