import type { FuseSession, FuseSessionEnd } from '../../../fuse/index.js';
import { isError } from '../../../libc/index.js';
import {
  type ReadyDevice,
  readyForZeroCopy,
  realDevice,
  type WantedMount,
  type ZeroCopy,
  type ZeroCopyDevice,
} from './door.js';
import { OwnFileOpener } from './opener.js';

/** Starts the session of a mount, a zero-copy one when a device is given. */
export type Begin = (
  zeroCopy?: ZeroCopyDevice,
  onMessage?: (message: unknown) => void,
) => Promise<FuseSession>;

/** What a zero-copy mount keeps beside its session. */
export class ZeroCopyUse {
  readonly #opener: OwnFileOpener;
  readonly #device: ReadyDevice;
  readonly #report: (error: Error) => void;

  constructor(opener: OwnFileOpener, device: ReadyDevice, report: (error: Error) => void) {
    this.#opener = opener;
    this.#device = device;
    this.#report = report;
  }

  get isNeeded(): boolean {
    return this.#opener.isNeeded;
  }

  /** Lets go of the mount's files when the session has ended, and gives the device its mode back. */
  async closedAfter(closed: Promise<FuseSessionEnd>): Promise<FuseSessionEnd> {
    const end = await closed;
    await this.#opener.end();
    giveBack(this.#device, this.#report);
    return end;
  }
}

/**
 * Makes a zero-copy mount.
 * @returns undefined, or the reason as a text, when it is to be an ordinary one. Memory that is no device of the kernel needs no reason
 * @throws DaxError with 'always': why it cannot be made
 */
export async function zeroCopyMount<Mount extends object>(
  when: ZeroCopy,
  wanted: WantedMount,
  readOnly: boolean,
  begin: Begin,
  report: (error: Error) => void,
  over: (session: FuseSession, use: ZeroCopyUse) => Mount,
): Promise<Mount | string | undefined> {
  if (when === 'never' || (when === 'auto' && realDevice(wanted) === null)) return undefined;
  try {
    return await attempt(wanted, readOnly, begin, report, over);
  } catch (error) {
    if (when === 'always' || !isError(error)) throw error;
    return `no zero-copy mount of ${wanted.device}: ${error.message}; its files are served through copies`;
  }
}

async function attempt<Mount extends object>(
  wanted: WantedMount,
  readOnly: boolean,
  begin: Begin,
  report: (error: Error) => void,
  over: (session: FuseSession, use: ZeroCopyUse) => Mount,
): Promise<Mount> {
  const device = readyForZeroCopy(wanted);
  let opener: OwnFileOpener | undefined;
  let session: FuseSession | undefined;
  try {
    const { node, size, persistent } = device;
    session = await begin({ node, size, persistent }, (message) => opener?.hear(message));
    opener = await OwnFileOpener.begin(session, readOnly, report);
    return over(session, new ZeroCopyUse(opener, device, report));
  } catch (error) {
    await session?.unmount({ whenBusy: 'abort' });
    await opener?.end();
    giveBack(device, report);
    throw error;
  }
}

function giveBack(device: ReadyDevice, report: (error: Error) => void): void {
  try {
    device.restore();
  } catch (error) {
    if (!isError(error)) throw error;
    report(new Error(`${device.node} stays in famfs mode: ${error.message}`));
  }
}
