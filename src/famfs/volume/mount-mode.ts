import { fail } from '../../libc/index.js';

/** How this process has a famfs mounted. All its volumes on one device share one mount, so they agree on it. */
export interface MountMode {
  /** The log was read as far as possible: lost parts are skipped, and later entries are never read. */
  readonly isSalvage: boolean;
  /** The names are those of the log, as C famfs shows them; what an annex says is left out. */
  readonly isPlain: boolean;
}

/** @throws DaxError EBUSY it is mounted in another way */
export function mustAgree(device: string, mounted: MountMode, { isSalvage, isPlain }: MountMode): void {
  if (mounted.isSalvage && !isSalvage) {
    fail('EBUSY', `${device} is mounted by this process to salvage what is left of it: close that first`, {
      path: device,
    });
  }
  if (mounted.isPlain === isPlain) return;
  const how = mounted.isPlain ? 'with the plain names of the log' : 'with the names of its annex';
  fail('EBUSY', `${device} is mounted by this process ${how}: close that first`, { path: device });
}
