/** The diagnostics channels of this process, told as events. Other processes have their own. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { VolumeEvents } from '../../famfs/index.js';
import type { EventLog } from './event-log.js';

type Told = { [K in keyof VolumeEvents]: (message: VolumeEvents[K]) => [subject: string, text: string] };

const TOLD: Told = {
  mount: ({ device, role }) => [device, `this process mounted it as ${role}`],
  unmount: ({ device }) => [device, 'this process closed its volume'],
  create: ({ path, device }) => [path, `this process published it on ${device}`],
  map: ({ path, offset, length, writable }) => [
    path,
    `this process mapped ${length} bytes at ${offset}${writable ? ', writable' : ''}`,
  ],
  lost: ({ path, error }) => [path, error.message],
};

/**
 * Follows all channels.
 * @param counts how often each spoke, counted up here
 * @returns a function that ends it
 */
export function followChannels(log: EventLog, counts: Map<string, number>): () => void {
  const ends = (Object.keys(TOLD) as (keyof VolumeEvents)[]).map((name) => {
    const tell = TOLD[name] as (message: unknown) => [string, string];
    const listener = (message: unknown): void => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      log.add('process', name, ...tell(message));
    };
    subscribe(`udax:${name}`, listener);
    return () => void unsubscribe(`udax:${name}`, listener);
  });
  return () => {
    for (const end of ends) end();
  };
}
