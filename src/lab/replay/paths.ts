/** Path symbols of the schema, and the names that are not stable. */
import { fail } from '../../libc/index.js';
import type { Platform } from './platform.js';

const PROVIDER_OF_SYMBOL: Record<string, string> = {
  region0: 'platform/hmem_platform.0/hmem.0',
  region1: 'platform/hmem_platform.0/hmem.1',
};

/** `$region0/create` to the path below /sys; a recorded device number to the one our bus gives. */
export function resolvePath(platform: Platform, path: string): string {
  return devicePath(platform, path).replace(/^\$(region[01P])/, (_all, symbol: string) => {
    return `devices/${providerOf(platform, symbol)}/dax_region`;
  });
}

function providerOf(platform: Platform, symbol: string): string {
  const hmem = PROVIDER_OF_SYMBOL[symbol];
  if (hmem !== undefined) return hmem;
  const pmem = platform.bus.regions.find((region) => region.isStatic);
  // A name that leads nowhere, as the directory of a provider that is not there.
  return pmem ? platform.place(pmem) : 'platform/ACPI0012:00/ndbus0/region0/none';
}

const RECORDED_MAJOR = '251';

function devicePath(platform: Platform, path: string): string {
  const [, minor] = /^dev\/char\/251:(\d+)$/.exec(path) ?? [];
  if (minor === undefined) return path;
  const device = platform.bus.devices().find((candidate) => candidate.minor === Number(minor));
  return device ? `dev/char/${device.devt}` : `dev/char/${RECORDED_MAJOR}:${minor}`;
}

/** Names below /dev: `dax0.0`, `/dev/dax0.0`, or a node made by mknod. */
export function deviceNodeName(file: string): string {
  const name = file.replace(/^\/dev\//, '');
  return name === '' ? fail('ENOENT', `${file} names no device node`) : name;
}

/** Values with the nd-bus device name as the transcripts show it; slashes may be escaped as in JSON. */
export function maskNd(text: string): string {
  return text.replaceAll(/(ndbus0\\?\/region\d+\\?\/)dax\d+\.\d+(?=[\\/"]|$)/gm, '$1$nd');
}
