import { types } from 'node:util';
import { asDaxError, fail } from './errors.js';

/**
 * What public functions take. One mechanism for all of them: a table says, argument by argument, what is wanted; the
 * check stands before the function, so that a wrong value is EINVAL that says what was wanted and what came, and
 * nothing was touched. Functions that run a hundred thousand times a second check for themselves (read, write, put).
 */

/** Says what is wanted when a value is not that; nothing when it is. */
export type Wanted = (value: unknown) => string | undefined;
/** Of a function's arguments, in order, by name. */
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

/** Bytes, or text like `512MiB`, which is read later. */
export const size: Wanted = (value) =>
  typeof value === 'string' || typeof value === 'number' ? undefined : 'bytes, or text like "512MiB"';
/** A number whose range the function judges, with more to say than that it is wrong. */
export const number: Wanted = (value) =>
  typeof value === 'number' && !Number.isNaN(value) ? undefined : 'a number';
/** Permission bits, owners: 32 bits on media. */
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

/** An object of which these methods or fields are used. Not instanceof: it may be of another copy of the package. */
export const objectWith =
  (what: string, ...names: readonly string[]): Wanted =>
  (value) =>
    isObject(value) && names.every((name) => name in value) ? undefined : what;

/** What gives its parts one by one; not text, whose parts are letters. */
export const iterable: Wanted = (value) =>
  typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
    ? undefined
    : 'an iterable or a stream';

/** An AbortSignal of any realm. */
export const abortSignal = objectWith('an AbortSignal', 'aborted', 'addEventListener');

/** An object of options. One that is not known is a misspelt one, and would be ignored for ever. */
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

/** Any array of bytes, of any realm: a Uint8Array, which Buffer is too. */
export function isBytes(value: unknown): value is Uint8Array {
  return types.isUint8Array(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value in a message. */
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
 * @throws DaxError EINVAL naming the function, the argument, what is wanted and what came
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
    // Options tell what came themselves.
    const came = wrong.startsWith('options') ? '' : `, not ${shown(value)}`;
    fail('EINVAL', `${name}(): ${argument} is to be ${wrong}${came}`);
  }
}

/** Puts the check before methods of a class, and sees to it that system errors leave them as DaxErrors. A promise's function rejects. */
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
