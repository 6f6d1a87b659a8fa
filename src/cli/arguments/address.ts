import { UsageError } from '../errors.js';

/** A path of this host, or a file on a device's volume, written as scp writes hosts. */
export type Address =
  | { kind: 'local'; path: string; text: string }
  | { kind: 'volume'; device: string; path: string; text: string };

/**
 * Reads `DEVICE:/path` (dax0.0:/x, pool.img:/x, /dev/dax0.0:/x) or a local path. The first `:/` separates device and path.
 * `DEVICE:` alone is the volume's root. A local path may contain colons (`./a:b`), but not `:/`.
 * @throws UsageError for `dax0.0:x` (paths on a volume are absolute) and for an empty argument
 */
export function parseAddress(text: string): Address {
  if (text === '') throw new UsageError('an empty argument names no file');
  const divider = text.indexOf(':/');
  if (divider > 0) {
    return { kind: 'volume', device: text.slice(0, divider), path: text.slice(divider + 1), text };
  }
  if (divider === 0) throw new UsageError(`"${text}" names no device before the colon: write dax0.0${text}`);
  if (text.endsWith(':') && text.length > 1) {
    return { kind: 'volume', device: text.slice(0, -1), path: '/', text };
  }
  const relative = /^(dax\d+\.\d+|\/dev\/dax\d+\.\d+):(.*)$/.exec(text);
  if (relative) {
    throw new UsageError(`"${text}": paths on a volume begin with /: write ${relative[1]}:/${relative[2]}`);
  }
  return { kind: 'local', path: text, text };
}

/**
 * Reads a FILE argument, which must be on a volume.
 * @throws UsageError for a local path
 */
export function volumeAddress(text: string): Address & { kind: 'volume' } {
  const address = parseAddress(text);
  if (address.kind === 'local') {
    throw new UsageError(`"${text}" is not a file on a volume: write DEVICE:/path, like dax0.0:/data/a`);
  }
  return address;
}

/** Reads a FILE or a whole DEVICE (its root directory), for commands that list directories. */
export function volumeOrDeviceAddress(text: string): Address & { kind: 'volume' } {
  const address = parseAddress(text);
  return address.kind === 'volume' ? address : { kind: 'volume', device: text, path: '/', text };
}

/**
 * Reads a DEVICE argument: a name (dax0.0), a device node or an image file.
 * @throws UsageError for a file on a volume
 */
export function deviceArgument(text: string): string {
  const address = parseAddress(text);
  if (address.kind === 'local') return text;
  if (address.path === '/') return address.device;
  throw new UsageError(`"${text}" is a file on a volume; a DEVICE is wanted: ${address.device}`);
}
