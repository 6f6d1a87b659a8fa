/** Parses daxctl's command line: short options may be clustered (`-DRM -iu`), long options take `=VALUE`. */

export type OptionTable = Record<
  string,
  { readonly long: string; readonly value?: true; readonly key: string }
>;

export interface ParsedArguments {
  flags: Set<string>;
  values: Map<string, string>;
  operands: string[];
}

/** Parses options and operands. @returns null for an option that is not in the table, or one without its value */
export function parseArguments(words: readonly string[], table: OptionTable): ParsedArguments | null {
  const parsed: ParsedArguments = { flags: new Set(), values: new Map(), operands: [] };
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      parsed.operands.push(...queue.splice(0));
    } else if (word.startsWith('--')) {
      if (!takeLong(word.slice(2), queue, table, parsed)) return null;
    } else if (word.startsWith('-') && word.length > 1) {
      if (!takeCluster(word.slice(1), queue, table, parsed)) return null;
    } else {
      parsed.operands.push(word);
    }
  }
  return parsed;
}

function takeLong(word: string, queue: string[], table: OptionTable, parsed: ParsedArguments): boolean {
  const [name = '', ...rest] = word.split('=');
  const option = Object.values(table).find((candidate) => candidate.long === name);
  if (option === undefined) return false;
  if (!option.value) {
    parsed.flags.add(option.key);
    return rest.length === 0;
  }
  const value = rest.length > 0 ? rest.join('=') : queue.shift();
  if (value === undefined) return false;
  parsed.values.set(option.key, value);
  return true;
}

function takeCluster(letters: string, queue: string[], table: OptionTable, parsed: ParsedArguments): boolean {
  for (let at = 0; at < letters.length; at += 1) {
    const option = table[letters.charAt(at)];
    if (option === undefined) return false;
    if (!option.value) {
      parsed.flags.add(option.key);
      continue;
    }
    // The value is the rest of the word (`-r0`), or else the next word.
    const value = letters.slice(at + 1) || queue.shift();
    if (value === undefined) return false;
    parsed.values.set(option.key, value);
    return true;
  }
  return true;
}

/** Parses a size in bytes: any C number with an optional K, M, G or T (powers of 1024). Null for anything else. */
export function parseSize(text: string): number | null {
  const match = /^(0x[0-9a-f]+|[0-9]+)([kmgt]?)(i?b)?$/i.exec(text);
  if (match === null) return null;
  const [, digits = '', unit = ''] = match;
  const octal = /^0[0-7]+$/.test(digits);
  const bytes =
    (octal ? Number.parseInt(digits, 8) : Number(digits)) *
    1024 ** ' kmgt'.indexOf(unit.toLowerCase() || ' ');
  return Number.isSafeInteger(bytes) ? bytes : null;
}
