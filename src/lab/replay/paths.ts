/** Path symbols of the schema, and the masking of unstable names. */
import { fail } from '../../libc/index.js';
import type { Platform } from './platform.js';

const PROVIDER_OF_SYMBOL: Record<string, string> = {
  region0: 'platform/hmem_platform.0/hmem.0',
  region1: 'platform/hmem_platform.0/hmem.1',
};

/** Turns `$region0/create` into the path below /sys, and a recorded device number into the number on this bus. */
export function resolvePath(platform: Platform, path: string): string {
  return devicePath(platform, path).replace(/^\$(region[01P])/, (_all, symbol: string) => {
    return `devices/${providerOf(platform, symbol)}/dax_region`;
  });
}

function providerOf(platform: Platform, symbol: string): string {
  const hmem = PROVIDER_OF_SYMBOL[symbol];
  if (hmem !== undefined) return hmem;
  const pmem = platform.bus.regions.find((region) => region.isStatic);
  // A path that does not exist, like the directory of a provider that is not attached.
  return pmem ? platform.place(pmem) : 'platform/ACPI0012:00/ndbus0/region0/none';
}

const RECORDED_MAJOR = '251';

function devicePath(platform: Platform, path: string): string {
  const [, minor] = /^dev\/char\/251:(\d+)$/.exec(path) ?? [];
  if (minor === undefined) return path;
  const device = platform.bus.devices().find((candidate) => candidate.minor === Number(minor));
  return device ? `dev/char/${device.devt}` : `dev/char/${RECORDED_MAJOR}:${minor}`;
}

/** A device's name below /dev: `dax0.0`, `/dev/dax0.0`, or a node made by mknod. */
export function deviceNodeName(file: string): string {
  const name = file.replace(/^\/dev\//, '');
  return name === '' ? fail('ENOENT', `${file} names no device node`) : name;
}

/** Masks the name of an nd-bus device in a value, as the transcripts do. Slashes may be escaped, as in JSON. */
export function maskNd(text: string): string {
  return text.replaceAll(/(ndbus0\\?\/region\d+\\?\/)dax\d+\.\d+(?=[\\/"]|$)/gm, '$1$nd');
}
