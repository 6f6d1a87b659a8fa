/** What is fuzzed. */
export interface Target {
  readonly name: string;
  /** How often of 1,000 cases of a run it is this one's turn. */
  readonly share: number;
  /** Once a process. @param directory its own, for files */
  open(directory: string): void;
  /**
   * One case.
   * @param recipe its seeds
   * @throws Error a Finding; any other is one as well
   */
  run(recipe: readonly number[]): void | Promise<void>;
  close(): void;
}

/** What must not be. */
export class Finding extends Error {
  override readonly name = 'Finding';
}

/** Errors that are answers. */
export function isAnswer(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.name === 'DaxError' && 'errno' in error && typeof error.errno === 'number';
}

/** Runs it: what it gives, or undefined when it was refused as it should be. @throws Error what is no answer */
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
