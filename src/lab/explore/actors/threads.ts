/**
 * Calls that do not happen in one piece: each is a generator that stops where a real one can be overtaken, and other events
 * happen in between (decision 2). They call the same rules as everybody.
 */
import type { Bus, DevDax } from '../../../dax/index.js';
import { PMD_SIZE } from '../../../mm/index.js';

/** Where a call stands, and whether it can go on. */
export interface Pause {
  readonly at: string;
  ready(): boolean;
}

export type Thread = Generator<Pause, void>;

/** A failed page is told to the holder: its operations are read, then called. The caller is a reader of the device. */
export function* notifyThread(device: DevDax, unit: number): Thread {
  const finish = device.dax.beginNotifyFailure(unit * PMD_SIZE, 4096, 0);
  yield { at: 'has the operations', ready: () => true };
  finish();
}

/** An unbind: dead at once for new calls, then it waits until the last reader has left, then all is undone. */
export function* unbindThread(bus: Bus, device: DevDax, driver: string): Thread {
  device.dax.beginKill();
  yield { at: 'waits for readers', ready: () => device.dax.readers === 0 };
  bus.unbind(driver, device.name);
}
