import type { CopyOptions } from '../../famfs/index.js';
import type { GivenMachine } from '../context.js';
import type { Place } from './place.js';

/** One call of `udax cp`. */
export interface CopyJob {
  target: Place;
  /** Writes bytes to standard output. */
  bytes(view: Uint8Array): Promise<void>;
  options: CopyOptions & { uid: number; gid: number };
  signal: AbortSignal;
  /** The machine of the command line, for the commands in failure messages. */
  given: GivenMachine;
}
