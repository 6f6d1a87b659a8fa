import { hasCode } from '../../libc/index.js';
import type { GivenMachine } from '../context.js';
import { describeError } from '../errors.js';
import { commandFor } from '../hints.js';
import type { Progress } from '../output/progress.js';
import { type Place, takesSpace } from './place.js';
import type { Step } from './plan.js';
import { noneTaken, type Taken } from './took.js';

export interface CopyResult {
  files: number;
  directories: number;
  bytes: number;
  /** What the new files and directories took of the destination volume; null for a copy to this host. */
  took: Taken | null;
  failures: { path: string; code: string; message: string }[];
}

/** How far a copy is: what was made, and what could not be. A failure is printed when it happens. */
export class CopyTally {
  readonly result: CopyResult;
  readonly #target: Place;
  readonly #progress: Progress;
  readonly #note: (line: string) => void;
  /** The machine of the command line, for the commands in failure messages. */
  readonly #given: GivenMachine;

  constructor(
    target: Place,
    { progress, note, given }: { progress: Progress; note: (line: string) => void; given: GivenMachine },
  ) {
    const { volume } = target;
    const took = volume === null ? null : noneTaken(volume.statfs().allocUnit);
    this.result = { files: 0, directories: 0, bytes: 0, took, failures: [] };
    this.#target = target;
    this.#progress = progress;
    this.#note = note;
    this.#given = given;
  }

  skipped({ name, code, why }: Step & { kind: 'skip' }): void {
    this.#failure(name, code, `${name} is not copied: ${why}`);
  }

  madeDirectory(): void {
    this.result.directories++;
    if (this.result.took) this.result.took.logEntries++;
  }

  /** Shows how much of the current file is copied. */
  within(bytes: number, name: string): void {
    this.#progress.update(this.result.bytes + bytes, name);
  }

  /** Whether a copy of this size will take space; asked before it is made. @param size NaN when nobody knows */
  takesSpace(to: string, size: number): boolean {
    return this.result.took !== null && takesSpace(this.#target, to, size);
  }

  copied(to: string, bytes: number, isNew: boolean): void {
    this.result.files++;
    this.result.bytes += bytes;
    if (isNew) this.result.took!.add(this.#target.volume!.usage(to));
  }

  /** Prints that one file could not be copied. An error that concerns more than this file is thrown, and ends the copy. */
  failed(name: string, error: unknown): void {
    if (!concernsOneFile(error)) throw error;
    const text = describeError(error, name).split('\n')[0] ?? '';
    const step = commandFor(error, 'cp', this.#given);
    const what = text.replace(/^udax: /, '').replace(/ \([A-Z0-9]+\)$/, '');
    this.#failure(name, error.code, step === undefined ? what : `${what}; try: ${step}`);
  }

  #failure(path: string, code: string, message: string): void {
    this.result.failures.push({ path, code, message });
    this.#note(`udax: ${message} (${code})`);
  }
}

/** Whether an error concerns one file only, so that the next file may still succeed. */
function concernsOneFile(error: unknown): error is Error & { code: string } {
  return hasCode(
    error,
    'EEXIST',
    'ENAMETOOLONG',
    'EINVAL',
    'EISDIR',
    'EACCES',
    'ENOENT',
    'EILSEQ',
    'ENOTDIR',
    'EIO',
  );
}
