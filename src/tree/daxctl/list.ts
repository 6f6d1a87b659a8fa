/** `daxctl list`, and the JSON of a device that the other verbs print. */
import { numberOf } from '../dax-tree.js';
import { type DevicePlace, driverOf, rangesOf } from '../devices.js';
import { blocksOf } from '../memory-blocks.js';
import {
  deviceSelected,
  type FoundRegion,
  findDevices,
  findRegions,
  modeOf,
  regionSelected,
} from './discover.js';
import type { DaxctlLook } from './host.js';
import { formatResults, humanAddress, humanSize, type JsonObject, type JsonValue } from './json.js';

/** The options of `daxctl list`. */
export interface ListOptions {
  /** -D */
  devices?: boolean;
  /** -R */
  regions?: boolean;
  /** -M */
  mappings?: boolean;
  /** -i: also devices of size 0. */
  idle?: boolean;
  /** -u: sizes and addresses as text; a single result is not in an array. */
  human?: boolean;
  /** -r: a region id, or `all`. */
  region?: string | null;
  /** -d: a device name, or `all`. */
  device?: string | null;
}

/** The output of `daxctl list`: JSON text, empty when there is nothing to list. */
export function listText(host: DaxctlLook, options: ListOptions = {}): string {
  const { region: wantedRegion = null, device: wantedDevice = null } = options;
  const chosen = options.devices || options.regions;
  // Without -D and -R, a filter decides what is listed; without a filter, devices are.
  const regions = chosen ? options.regions === true : wantedRegion !== null;
  const devices = chosen ? options.devices === true : wantedDevice !== null || wantedRegion === null;
  const results: JsonValue[] = [];
  for (const region of findRegions(host)) {
    if (!regionSelected(region, wantedRegion)) continue;
    const found = devices ? listedDevices(host, region, options) : [];
    if (regions) results.push(regionJson(region, found, options.human === true));
    else results.push(...found);
  }
  return formatResults(results, options.human === true);
}

function listedDevices(host: DaxctlLook, region: FoundRegion, options: ListOptions): JsonObject[] {
  return findDevices(host, region)
    .filter((device) => deviceSelected(device, options.device ?? null))
    .filter((device) => options.idle || numberOf(host.tree, `${device.directory}/size`) !== 0)
    .map((device) => deviceJson(host, device, options));
}

function regionJson(region: FoundRegion, devices: JsonObject[], human: boolean): JsonObject {
  const json: JsonObject = { path: region.directory.replace(/^devices/, ''), id: region.id };
  if (region.size !== null) json.size = sizeJson(region.size, human);
  if (region.availableSize) json.available_size = sizeJson(region.availableSize, human);
  if (region.align !== null) json.align = region.align;
  if (devices.length > 0) json.devices = devices;
  return json;
}

export function deviceJson(
  host: DaxctlLook,
  device: DevicePlace,
  options: { human?: boolean; mappings?: boolean } = {},
): JsonObject {
  const human = options.human === true;
  const json: JsonObject = {
    chardev: device.name,
    size: sizeJson(numberOf(host.tree, `${device.directory}/size`) ?? 0, human),
  };
  const node = numberOf(host.tree, `${device.directory}/target_node`);
  if (node !== null && node >= 0) json.target_node = node;
  const align = numberOf(host.tree, `${device.directory}/align`);
  if (align !== null && align > 0) json.align = align;
  json.mode = modeOf(host, device);
  if (json.mode === 'system-ram') Object.assign(json, memoryJson(host, device));
  if (driverOf(host.tree, device) === null) json.state = 'disabled';
  if (options.mappings) Object.assign(json, mappingsJson(host, device, human));
  return json;
}

function memoryJson(host: DaxctlLook, device: DevicePlace): JsonObject {
  const blocks = blocksOf(host.tree, device);
  const online = blocks.filter((block) => block.online);
  const json: JsonObject = { online_memblocks: online.length, total_memblocks: blocks.length };
  if (online.length > 0) json.movable = online.every((block) => block.movable);
  return json;
}

function mappingsJson(host: DaxctlLook, device: DevicePlace, human: boolean): JsonObject {
  const address = (value: number) => (human ? humanAddress(value) : value);
  const mappings = rangesOf(host.tree, device).map(({ pageOffset, start, end }) => ({
    page_offset: address(pageOffset),
    start: address(start),
    end: address(end),
    size: sizeJson(end - start + 1, human),
  }));
  return mappings.length > 0 ? { mappings } : {};
}

function sizeJson(bytes: number, human: boolean): JsonValue {
  return human ? humanSize(bytes) : bytes;
}
