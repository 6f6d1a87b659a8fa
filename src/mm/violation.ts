/** An invariant that does not hold. */
export interface Violation {
  /** I1 ... I12; `crash` where the model itself threw something that is no errno. */
  readonly invariant: string;
  readonly text: string;
}

export const violation = (invariant: string, text: string): Violation => ({ invariant, text });
