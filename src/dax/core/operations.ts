/** A translation: device page -> physical page. */
export interface DirectAccess {
  pfn: number;
  /** Contiguous pages from here in the same physical range: 1 .. requested. */
  pages: number;
  /** hpa of the first byte, to which the kernel's kaddr would point. */
  hpa: number;
}

/** `access` stops before poison. `recovery` ignores poison, so that good bytes can be written. */
export type AccessMode = 'access' | 'recovery';

/** The operations that a driver sets on a dax device so that a file system can use it (struct dax_operations). */
export interface DaxOperations {
  /** Bytes; cannot change while the driver is bound. */
  readonly size: number;
  /** Translates pages. @returns null when there is no such page. @throws DaxError EHWPOISON the first page is poisoned (mode access) */
  directAccess(pgoff: number, pages: number, mode: AccessMode): DirectAccess | null;
  /** Zeroes pages. @throws DaxError ERANGE beyond the end; nothing is written then */
  zeroPageRange(pgoff: number, pages: number): void;
  /** Writes over poison. Pages that are written whole lose their poison. @returns bytes written */
  recoveryWrite?(pgoff: number, offsetInPage: number, bytes: Uint8Array): number;
}

/** The file system that holds a device (struct dax_holder_operations). */
export interface HolderOperations {
  /**
   * Called when pages of the device failed, or when the device is about to be removed (MF_MEM_PRE_REMOVE).
   * @param offset device offset, bytes
   * @param length bytes; Infinity for the whole device
   * @param flags MF_*
   */
  notifyFailure(offset: number, length: number, flags: number): void;
}

export const MF_ACTION_REQUIRED = 1 << 1;
export const MF_MEM_PRE_REMOVE = 1 << 7;
