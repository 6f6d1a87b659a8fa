/** A target of the fuzzer. */
export interface Target {
  readonly name: string;
  /** How many of 1,000 cases of a run go to this target. */
  readonly share: number;
  /** Why it cannot run here, if it cannot. */
  readonly missing?: string;
  /** Called once in each process. @param directory the target's own, for files */
  open(directory: string): void;
  /**
   * Runs one case.
   * @param recipe the seeds of the case
   * @throws Error a Finding; any other error is a finding too
   */
  run(recipe: readonly number[]): void | Promise<void>;
  close(): void;
}

/** Something that must not happen. */
export class Finding extends Error {
  override readonly name = 'Finding';
}

/** Whether an error is a proper answer: a DaxError with an errno. */
export function isAnswer(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.name === 'DaxError' && 'errno' in error && typeof error.errno === 'number';
}

/** Runs `act`. Returns its result; undefined when it was refused properly. @throws Error any other error */
export function answered<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (isAnswer(error)) return undefined;
    throw error;
  }
}

export async function answeredLater<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (isAnswer(error)) return undefined;
    throw error;
  }
}

export function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Finding(what);
}

const SHORT_CASES = 20_000;

/** The number of cases of a target in the short run, which CI does: 20,000 over all targets. */
export function shortCases({ share }: Target): number {
  return Math.round((SHORT_CASES * share) / 1000);
}
