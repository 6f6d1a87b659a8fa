/** JSON as daxctl prints it: two spaces a level, no space after a colon, slashes escaped. */

export type JsonValue = string | number | boolean | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

export function formatJson(value: JsonValue, indent = ''): string {
  if (typeof value === 'string') return JSON.stringify(value).replaceAll('/', '\\/');
  if (typeof value !== 'object') return String(value);
  const deeper = `${indent}  `;
  const members = Array.isArray(value)
    ? value.map((member) => formatJson(member, deeper))
    : Object.entries(value).map(([key, member]) => `${formatJson(key)}:${formatJson(member, deeper)}`);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  if (members.length === 0) return open + close;
  return `${open}\n${members.map((member) => deeper + member).join(',\n')}\n${indent}${close}`;
}

/** Formats the results of a verb: nothing for none. With -u, a single result is not in an array. */
export function formatResults(results: JsonValue[], human: boolean): string {
  const [first] = results;
  if (first === undefined) return '';
  return `${formatJson(human && results.length === 1 ? first : results)}\n`;
}

const UNITS = [
  { binary: 'KiB', decimal: 'kB', bytes: 2 ** 10, decimalBytes: 1e3 },
  { binary: 'MiB', decimal: 'MB', bytes: 2 ** 20, decimalBytes: 1e6 },
  { binary: 'GiB', decimal: 'GB', bytes: 2 ** 30, decimalBytes: 1e9 },
  { binary: 'TiB', decimal: 'TB', bytes: 2 ** 40, decimalBytes: 1e12 },
] as const;
/** Sizes below this are plain bytes. */
const PLAIN_BYTES = 5000;

/** A size as text, `512.00 MiB (536.87 MB)`: in the largest unit of which there are at least two (1 GiB is 1024.00 MiB). */
export function humanSize(bytes: number): string {
  if (bytes < PLAIN_BYTES) return String(bytes);
  const unit = UNITS.findLast((candidate) => bytes >= 2 * candidate.bytes) ?? UNITS[0];
  const binary = (bytes / unit.bytes).toFixed(2);
  return `${binary} ${unit.binary} (${(bytes / unit.decimalBytes).toFixed(2)} ${unit.decimal})`;
}

/** An address as text: `0x150000000`; zero has no prefix. */
export function humanAddress(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`;
}
