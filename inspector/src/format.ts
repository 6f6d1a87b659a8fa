/** Numbers for people. */
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

export function bytes(value: number): string {
  let at = 0;
  let rest = value;
  while (rest >= 1024 && at < UNITS.length - 1) {
    rest /= 1024;
    at++;
  }
  return `${Number.isInteger(rest) ? rest : rest.toFixed(1)} ${UNITS[at]}`;
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

export function percent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${((part / whole) * 100).toFixed(1)} %`;
}

export function time(at: number): string {
  const date = new Date(at);
  return `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
