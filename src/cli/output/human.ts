const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Formats bytes for people: `4 KiB`, `1.5 GiB`, `97.66 MiB` (powers of 1024, at most two decimals). */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(2))} ${units[unit]}`;
}

/** `1 file`, `2 files`. */
export function count(amount: number, noun: string, plural = `${noun}s`): string {
  return `${amount} ${amount === 1 ? noun : plural}`;
}

/** `0x200000`. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Formats permission bits as famfs does in its JSON and YAML: `0644`, `01777`. */
export function octalMode(mode: number): string {
  return `0${mode.toString(8)}`;
}

/** Formats a share as `25.0%`; `0%` when `whole` is 0. */
export function percent(part: number, whole: number): string {
  return whole === 0 ? '0%' : `${((100 * part) / whole).toFixed(1)}%`;
}

/** `1.25 s` or `340 ms`. */
export function duration(milliseconds: number): string {
  return milliseconds >= 1000 ? `${(milliseconds / 1000).toFixed(2)} s` : `${Math.round(milliseconds)} ms`;
}
