/** What records of an annex are refused for, and what their numbers are taken for. */

/** (uid_t)-1, which is no user's id. */
const NO_OWNER = 0xffffffff;
/** The id that the kernel shows in place of one that it cannot map. */
const OVERFLOW_ID = 65534;

/** Why a record was skipped. `at` is the byte of the field within the record. */
export interface RecordFault {
  code: string;
  at: number;
  message: string;
}

export function fault(code: string, at: number, message: string): RecordFault {
  return { code, at, message };
}

/** An owner that callers may pass to system calls. */
export function idOf(id: number): number {
  return id === NO_OWNER ? OVERFLOW_ID : id;
}
