/** Transcripts in the format of conformance/dax/SCHEMA.md. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { asDaxError, fail, hasCode } from '../../libc/index.js';
import { machineShape } from './machines.js';

export interface StepResult {
  ok: boolean;
  value?: unknown;
  errno?: string;
  /** "open": opening the attribute failed, not reading or writing it. */
  at?: string;
  signal?: string;
  code?: string;
  map?: string;
  offset?: number;
  lsb?: number;
  /** exec */
  exit?: number;
  stdout?: string;
  stderr?: string;
}

/** One operation. Its arguments are fields beside `op`, read through Arguments. */
export interface Step {
  readonly op: string;
  readonly result: StepResult;
  /** Why the recorded answer may differ between runs. */
  readonly unstable?: string;
  readonly [argument: string]: unknown;
}

export interface Scenario {
  readonly name: string;
  readonly about?: string;
  readonly setup: { readonly machine: string };
  readonly steps: readonly Step[];
  /** In hazard transcripts: when the real kernel crashed, and what it printed. */
  readonly kernel_crash?: unknown;
  readonly kernel_oops?: unknown;
}

/**
 * Reads the scenarios of a file, which is JSON or gzipped JSON.
 * @throws DaxError ENOENT, EACCES, EISDIR; EINVAL the file is not a transcript (names the first scenario that is wrong)
 */
export function readTranscript(path: string): Scenario[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(textOf(readFileSync(path)));
  } catch (error) {
    if (error instanceof SyntaxError)
      fail('EINVAL', `${path} is not JSON: ${error.message}`, { path, cause: error });
    if (hasCode(error, 'Z_DATA_ERROR', 'Z_BUF_ERROR'))
      fail('EINVAL', `${path} is damaged gzip: unpack it again`, { path, cause: error });
    throw asDaxError(error, `reading ${path}`, path);
  }
  if (!Array.isArray(parsed))
    fail('EINVAL', `${path} is not a transcript: an array of scenarios is expected`, { path });
  return parsed.map((value, index) => checkScenario(value, index, path));
}

function textOf(bytes: Buffer): string {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return (isGzip ? gunzipSync(bytes) : bytes).toString('utf8');
}

function checkScenario(value: unknown, index: number, path: string): Scenario {
  const what = `scenario ${index} of ${path}`;
  if (!isObject(value)) return fail('EINVAL', `${what} is not an object`, { path });
  const { name, setup, steps } = value;
  if (typeof name !== 'string') fail('EINVAL', `${what} has no name`, { path });
  if (!isObject(setup) || typeof setup.machine !== 'string')
    fail('EINVAL', `${what} has no setup.machine`, { path });
  machineShape(setup.machine, what);
  if (!Array.isArray(steps)) fail('EINVAL', `${what} has no steps`, { path });
  steps.forEach((step: unknown, at) => {
    if (!isObject(step) || typeof step.op !== 'string' || !isObject(step.result)) {
      fail('EINVAL', `step ${at} of ${what} has no op or no result`, { path });
    }
  });
  return value as unknown as Scenario;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((member) => typeof member === 'string');
}

/** Reads a step's arguments with types. A missing or mistyped argument is EINVAL and is named. */
export class Arguments {
  constructor(readonly step: Step) {}

  text(name: string, otherwise?: string): string {
    const value = this.step[name] ?? otherwise;
    return typeof value === 'string' ? value : this.#bad(name, 'a string');
  }

  number(name: string, otherwise?: number): number {
    const value = this.step[name] ?? otherwise;
    return typeof value === 'number' ? value : this.#bad(name, 'a number');
  }

  list(name: string): string[] {
    const value = this.step[name];
    return isTextList(value) ? value : this.#bad(name, 'a list of strings');
  }

  has(name: string): boolean {
    return this.step[name] !== undefined;
  }

  #bad(name: string, kind: string): never {
    return fail(
      'EINVAL',
      `step ${this.step.op} needs ${name}, ${kind}: ${JSON.stringify(this.step[name])} given`,
    );
  }
}
