import { types } from 'node:util';
import { asDaxError, fail } from './errors.js';

/**
 * Argument checks of the public functions. A table names each argument and says what is wanted. The check runs before
 * the function: a wrong value is EINVAL, the message says what was wanted and what came, and nothing was changed.
 * Functions that run a hundred thousand times a second (read, write, put) check their arguments themselves.
 */

/** Checks one value: undefined when it is right, else words that say what is wanted. */
export type Wanted = (value: unknown) => string | undefined;
/** The checks of a function's arguments, by name, in the order of the arguments. */
export type WantedArguments = { readonly [name: string]: Wanted };

const NO_ARGUMENTS: WantedArguments = {};

export const text: Wanted = (value) => (typeof value === 'string' ? undefined : 'a string');
export const flag: Wanted = (value) => (typeof value === 'boolean' ? undefined : 'true or false');
export const callback: Wanted = (value) => (typeof value === 'function' ? undefined : 'a function');
export const bytes: Wanted = (value) => (isBytes(value) ? undefined : 'a Uint8Array');
export const anything: Wanted = () => undefined;

export const integer =
  (least = 0, most = Number.MAX_SAFE_INTEGER): Wanted =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : `a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? ' on' : ` to ${most}`}`;

/** A size: bytes, or text like `512MiB`, which the function parses itself. */
export const size: Wanted = (value) =>
  typeof value === 'string' || typeof value === 'number' ? undefined : 'bytes, or text like "512MiB"';
/** A number whose range the function checks itself, with a message of its own. */
export const number: Wanted = (value) =>
  typeof value === 'number' && !Number.isNaN(value) ? undefined : 'a number';
/** A 32-bit number on media: permission bits, owners. */
export const u32 = integer(0, 2 ** 32 - 1);

export const oneOf =
  (...words: readonly string[]): Wanted =>
  (value) =>
    words.includes(value as string) ? undefined : words.map((word) => `'${word}'`).join(' or ');

export const optional =
  (wanted: Wanted): Wanted =>
  (value) =>
    value === undefined ? undefined : wanted(value);

export const either =
  (...all: readonly Wanted[]): Wanted =>
  (value) => {
    const wrong = all.map((wanted) => wanted(value));
    return wrong.includes(undefined) ? undefined : wrong.join(', or ');
  };

export const listOf =
  (wanted: Wanted): Wanted =>
  (value) => {
    if (!Array.isArray(value)) return 'a list';
    const bad = value.map(wanted).find((wrong) => wrong !== undefined);
    return bad === undefined ? undefined : `a list, each of it ${bad}`;
  };

/** A list of two. */
export const pairOf =
  (first: Wanted, second: Wanted): Wanted =>
  (value) => {
    if (!Array.isArray(value) || value.length !== 2) return 'a list of two';
    const wrong = first(value[0]) ?? second(value[1]);
    return wrong === undefined ? undefined : `a list of two, with ${wrong}`;
  };

/** An object that has these methods or fields. Not checked by instanceof: it may come from another copy of the package. */
export const objectWith =
  (what: string, ...names: readonly string[]): Wanted =>
  (value) =>
    isObject(value) && names.every((name) => name in value) ? undefined : what;

/** An iterable or async iterable object. Text is refused: it would iterate by letters. */
export const iterable: Wanted = (value) =>
  typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
    ? undefined
    : 'an iterable or a stream';

/** An AbortSignal of any realm. */
export const abortSignal = objectWith('an AbortSignal', 'aborted', 'addEventListener');

/** An object of options. An unknown name is refused: it is most likely misspelt, and would be ignored silently. */
export const options = (known: WantedArguments): Wanted => {
  const all = Object.entries(known);
  return (value) => {
    if (!isObject(value)) return 'an object of options';
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(known, name))
        return `options, of which ${shown(name)} is none: ${Object.keys(known).join(', ')}`;
    }
    for (const [name, wanted] of all) {
      const wrong = wanted(value[name]);
      if (wrong !== undefined) return `options with ${name}: ${wrong}, not ${shown(value[name])}`;
    }
    return undefined;
  };
};

/** True for a Uint8Array of any realm; a Buffer is one too. */
export function isBytes(value: unknown): value is Uint8Array {
  return types.isUint8Array(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as messages show it. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
    case 'function':
      return 'a function';
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'an array' : 'an object';
    default:
      return String(value);
  }
}

/**
 * Checks the arguments of a function.
 * @throws DaxError EINVAL names the function, the argument, what is wanted and what came
 */
export function checkArguments(name: string, given: readonly unknown[], wanted: WantedArguments): void {
  checkEach(name, given, Object.entries(wanted));
}

function checkEach(name: string, given: readonly unknown[], wanted: readonly [string, Wanted][]): void {
  for (let index = 0; index < wanted.length; index++) {
    const [argument, check] = wanted[index]!;
    const value = given[index];
    const wrong = check(value);
    if (wrong === undefined) continue;
    // The message about options already says what came.
    const came = wrong.startsWith('options') ? '' : `, not ${shown(value)}`;
    fail('EINVAL', `${name}(): ${argument} is to be ${wrong}${came}`);
  }
}

/**
 * Wraps methods of a class: each checks its arguments first, and turns system errors into DaxErrors. An async method
 * rejects instead of throwing.
 */
export function checkMethods<T extends object>(
  type: { readonly name: string; readonly prototype: T },
  table: { readonly [K in keyof T]?: WantedArguments },
): void {
  for (const [method, wanted] of Object.entries(table) as [string, WantedArguments | undefined][]) {
    const name = `${type.name}.${method}`;
    const real = Object.getOwnPropertyDescriptor(type.prototype, method)!;
    Object.defineProperty(type.prototype, method, {
      ...real,
      value: checked(name, real.value as (...given: unknown[]) => unknown, wanted ?? NO_ARGUMENTS),
    });
  }
}

function checked(
  name: string,
  real: (...given: unknown[]) => unknown,
  table: WantedArguments,
): (...given: unknown[]) => unknown {
  const wanted = Object.entries(table);
  if (types.isAsyncFunction(real)) {
    return async function (this: unknown, ...given: unknown[]) {
      checkEach(name, given, wanted);
      try {
        return await real.apply(this, given);
      } catch (error) {
        throw asDaxError(error, `${name}() failed`);
      }
    };
  }
  return function (this: unknown, ...given: unknown[]) {
    checkEach(name, given, wanted);
    try {
      return real.apply(this, given);
    } catch (error) {
      throw asDaxError(error, `${name}() failed`);
    }
  };
}
