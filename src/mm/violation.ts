/** An invariant that does not hold. */
export interface Violation {
  /** I1 ... I12; `crash` where the model threw an error without an errno. */
  readonly invariant: string;
  readonly text: string;
}

export const violation = (invariant: string, text: string): Violation => ({ invariant, text });
