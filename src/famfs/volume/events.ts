/**
 * Events of volumes and files on `node:diagnostics_channel`, for tracers and tests. They cost next to nothing while nobody
 * listens.
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import type { DaxError } from '../../libc/index.js';

/** The message of each channel. The channel's name is `udax:` and the key. */
export interface VolumeEvents {
  /** A volume was mounted, and closed. */
  mount: { device: string; uuid: string; role: 'master' | 'client' };
  unmount: { device: string; uuid: string };
  /** This process published a new file or directory. */
  create: { path: string; device: string };
  /** A span of a file was mapped into this process. Bytes. */
  map: { path: string; offset: number; length: number; writable: boolean };
  /** Memory under a view was lost: a device disabled or formatted anew, a memory failure. */
  lost: { path: string; error: DaxError };
}

const channels: { [K in keyof VolumeEvents]: Channel } = {
  mount: channel('udax:mount'),
  unmount: channel('udax:unmount'),
  create: channel('udax:create'),
  map: channel('udax:map'),
  lost: channel('udax:lost'),
};

/** Publishes an event. @param message called only when somebody listens */
export function report<K extends keyof VolumeEvents>(event: K, message: () => VolumeEvents[K]): void {
  const { [event]: told } = channels;
  if (told.hasSubscribers) told.publish(message());
}
