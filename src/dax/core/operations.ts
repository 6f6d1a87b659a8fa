/** A translation: device page -> physical page. */
export interface DirectAccess {
  pfn: number;
  /** Pages that follow in the same physical range, 1 .. asked. */
  pages: number;
  /** hpa of the first byte: where the kernel's kaddr would point. */
  hpa: number;
}

/** `access` stops before poison; `recovery` goes on over it, to write good bytes. */
export type AccessMode = 'access' | 'recovery';

/** What a driver sets on a dax device so that a file system can use it (struct dax_operations). */
export interface DaxOperations {
  /** Bytes; cannot change while the driver is bound. */
  readonly size: number;
  /** null: nothing at this page. Throws EHWPOISON. */
  directAccess(pgoff: number, pages: number, mode: AccessMode): DirectAccess | null;
  /** Throws before anything is written when the range is not all there. */
  zeroPageRange(pgoff: number, pages: number): void;
  /** Bytes written; wholly written pages lose their poison. */
  recoveryWrite?(pgoff: number, offsetInPage: number, bytes: Uint8Array): number;
}

/** The file system that holds a device (struct dax_holder_operations). */
export interface HolderOperations {
  /**
   * Pages of the device failed, or the device is about to go (MF_MEM_PRE_REMOVE).
   * @param offset device offset, bytes
   * @param length bytes; Infinity when it is the whole device
   * @param flags MF_*
   */
  notifyFailure(offset: number, length: number, flags: number): void;
}

export const MF_ACTION_REQUIRED = 1 << 1;
export const MF_MEM_PRE_REMOVE = 1 << 7;
