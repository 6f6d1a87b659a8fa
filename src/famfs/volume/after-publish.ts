import type { MountedFamfs } from './mounted.js';

/**
 * A look at the device once something is published. Failed memory is good again when it was written over, and this look tells the other
 * processes. What is published stays published: a failure is not the caller's, the next call on the volume reports it.
 */
export function lookAfterPublish(mounted: MountedFamfs): void {
  try {
    mounted.check();
  } catch {
    // See above.
  }
}
