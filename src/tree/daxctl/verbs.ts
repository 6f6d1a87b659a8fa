/** daxctl's verbs over the selected devices, with daxctl's output and exit code. */
import { numberOf, textOf } from '../dax-tree.js';
import { type DevicePlace, driverOf } from '../devices.js';
import {
  deviceSelected,
  type FoundRegion,
  findDevices,
  findRegions,
  isMode,
  modeOf,
  regionSelected,
  type Selection,
} from './discover.js';
import { type DaxctlHost, negative, writeAttribute } from './host.js';
import { formatResults, type JsonObject } from './json.js';
import { deviceJson } from './list.js';
import {
  changeMode,
  disable,
  enable,
  type ModeOptions,
  offlineMemory,
  onlineMemory,
  type Tell,
  tellOnline,
} from './modes.js';

/** What a run of daxctl printed, and its exit code. */
export interface VerbResult {
  /** Process exit code: 0, 1, or the low byte of a negative errno. */
  exit: number;
  stdout: string;
  stderr: string;
}

/** The outcome of a verb for one device or region. 0 counts as processed, a negative errno is a failure, 1 is neither. */
interface Outcome {
  result: number;
  json?: JsonObject;
}

/** Sizes are bytes. Null: the option was not given. */
export interface CreateOptions {
  region: string | null;
  size: number | null;
  align: number | null;
  human: boolean;
}

/** create-device: one device in each selected region. */
export function createDevice(host: DaxctlHost, options: CreateOptions): VerbResult {
  const run = new Run(host);
  for (const region of findRegions(host)) {
    if (regionSelected(region, options.region)) run.add(createIn(host, region, options, run.tell));
  }
  return run.finish('error creating devices', 'created', 'device', options.human);
}

function createIn(host: DaxctlHost, region: FoundRegion, options: CreateOptions, tell: Tell): Outcome {
  const attribute = (name: string) => `${region.directory}/dax_region/${name}`;
  if (writeAttribute(host, attribute('create'), '1') < 0) return { result: negative('ENOSPC') };
  // daxctl sets up the seed device, even one that an earlier create left behind.
  const seed = textOf(host.tree, attribute('seed'));
  const device = findDevices(host, region).find((candidate) => candidate.name === seed);
  if (device === undefined) return { result: negative('ENOSPC') };
  if (options.align !== null) {
    const aligned = setAttribute(host, device, 'align', String(options.align), tell);
    if (aligned < 0) return { result: aligned };
  }
  const size = options.size ?? numberOf(host.tree, attribute('available_size')) ?? 0;
  if (size <= 0) return { result: negative('ENOSPC') };
  const sized = setSize(host, device, size, tell);
  if (sized < 0) return { result: sized };
  const enabled = enable(host, device, 'devdax', tell);
  if (enabled < 0) {
    setSize(host, device, 0, tell);
    return { result: enabled };
  }
  return { result: 0, json: deviceJson(host, device, { human: options.human }) };
}

function setSize(host: DaxctlHost, device: DevicePlace, bytes: number, tell: Tell): number {
  const text = bytes === 0 ? '0' : `0x${bytes.toString(16)}`;
  return setAttribute(host, device, 'size', `${text}\n`, tell);
}

/** Sets an attribute. libdaxctl returns ENXIO for every error of the kernel. */
function setAttribute(host: DaxctlHost, device: DevicePlace, name: string, text: string, tell: Tell): number {
  if (writeAttribute(host, `${device.directory}/${name}`, text) >= 0) return 0;
  tell(`libdaxctl: daxctl_dev_set_${name}: ${device.name}: failed to set ${name}`);
  return negative('ENXIO');
}

/** destroy-device. */
export function destroyDevice(
  host: DaxctlHost,
  selection: Selection,
  options: { force: boolean },
): VerbResult {
  const run = new Run(host);
  for (const device of selectDevices(host, selection)) {
    run.add({ result: destroy(host, device, options.force, run.tell) });
  }
  return run.finish('error destroying devices', 'destroyed', 'device');
}

function destroy(host: DaxctlHost, device: DevicePlace, force: boolean, tell: Tell): number {
  if (driverOf(host.tree, device) !== null && !force) {
    tell(`${device.name} is active, specify --force for deletion`);
    return negative('ENXIO');
  }
  const disabled = disable(host, device, tell);
  if (disabled < 0) return disabled;
  const sized = setSize(host, device, 0, tell);
  if (sized < 0) return sized;
  const deleted = writeAttribute(host, `${device.regionDirectory}/dax_region/delete`, device.name);
  // The kernel never deletes instance 0, and version 85 does not count that as a failure.
  if (deleted === negative('EBUSY') && device.instance === 0 && host.version >= 85) return 0;
  return deleted;
}

/** enable-device: always binds device_dax. */
export function enableDevice(host: DaxctlHost, selection: Selection): VerbResult {
  return statusVerb(host, selection, 'error enabling device', 'enabled', (device, tell) => {
    const result = enable(host, device, 'devdax', tell);
    if (result < 0) tell(`${device.name}: enable failed: ${strerror(result)}`);
    return result;
  });
}

/** disable-device. */
export function disableDevice(host: DaxctlHost, selection: Selection): VerbResult {
  return statusVerb(host, selection, 'error disabling device', 'disabled', (device, tell) =>
    disable(host, device, tell),
  );
}

function statusVerb(
  host: DaxctlHost,
  selection: Selection,
  error: string,
  done: string,
  apply: (device: DevicePlace, tell: Tell) => number,
): VerbResult {
  const run = new Run(host);
  for (const device of selectDevices(host, selection)) {
    if (modeOf(host, device) === 'system-ram') {
      run.tell(`${device.name}: status operations are only applicable in devdax mode`);
      run.add({ result: negative('ENXIO') });
    } else {
      run.add({ result: apply(device, run.tell) });
    }
  }
  return run.finish(error, done, 'device');
}

export interface ReconfigureOptions extends ModeOptions {
  /** The mode as typed; null when the option was not given. */
  mode: string | null;
  size: number | null;
  align: number | null;
  human: boolean;
}

/** reconfigure-device. */
export function reconfigureDevice(
  host: DaxctlHost,
  selection: Selection,
  options: ReconfigureOptions,
): VerbResult {
  const run = new Run(host);
  for (const device of selectDevices(host, selection)) run.add(reconfigure(host, device, options, run.tell));
  return run.finish('error reconfiguring devices', 'reconfigured', 'device', options.human);
}

function reconfigure(
  host: DaxctlHost,
  device: DevicePlace,
  options: ReconfigureOptions,
  tell: Tell,
): Outcome {
  if (options.align !== null) {
    const aligned = setAttribute(host, device, 'align', String(options.align), tell);
    if (aligned < 0) return { result: aligned };
  }
  // With -s daxctl only sets the size.
  if (options.size !== null) return { result: setSize(host, device, options.size, tell) };
  // With -a alone daxctl sets the align, and then fails because there is no mode.
  const changed = toMode(host, device, options.mode ?? '', options, tell);
  if (changed < 0) return { result: changed };
  return { result: 0, json: deviceJson(host, device, { human: options.human }) };
}

function toMode(
  host: DaxctlHost,
  device: DevicePlace,
  mode: string,
  options: ModeOptions,
  tell: Tell,
): number {
  if (isMode(host, mode)) return changeMode(host, device, mode, options, tell);
  tell(`${device.name}: unknown mode requested: 0`);
  return negative('EINVAL');
}

/** online-memory. */
export function onlineVerb(
  host: DaxctlHost,
  selection: Selection,
  options: { movable: boolean },
): VerbResult {
  return memoryVerb(host, selection, 'error onlining memory', 'onlined', (device, tell) => {
    const change = onlineMemory(host, device, options.movable);
    tellOnline(device, change, tell);
    return change.result;
  });
}

/** offline-memory. */
export function offlineVerb(host: DaxctlHost, selection: Selection): VerbResult {
  return memoryVerb(host, selection, 'error offlining memory', 'offlined', (device, tell) => {
    const change = offlineMemory(host, device);
    if (change.result === 1) tell(`${device.name}: all memory sections (${change.total}) already offline`);
    return change.result;
  });
}

function memoryVerb(
  host: DaxctlHost,
  selection: Selection,
  error: string,
  done: string,
  apply: (device: DevicePlace, tell: Tell) => number,
): VerbResult {
  const run = new Run(host);
  for (const device of selectDevices(host, selection)) {
    if (modeOf(host, device) === 'system-ram') {
      run.add({ result: apply(device, run.tell) });
    } else {
      run.tell(`${device.name}: memory operations are not applicable in ${modeOf(host, device)} mode`);
      run.add({ result: negative('ENXIO') });
    }
  }
  return run.finish(error, `${done} memory for`, 'device');
}

function selectDevices(host: DaxctlHost, selection: Selection): DevicePlace[] {
  return findRegions(host)
    .filter((region) => regionSelected(region, selection.region))
    .flatMap((region) => findDevices(host, region))
    .filter((device) => deviceSelected(device, selection.device));
}

/** One run of a verb: collects its messages and its result. */
class Run {
  #processed = 0;
  #result: number;
  #json: JsonObject | null = null;
  #lines: string[] = [];
  readonly #host: DaxctlHost;
  readonly tell: Tell = (line) => void this.#lines.push(line);

  constructor(host: DaxctlHost) {
    this.#host = host;
    // In version 85 a run without any device succeeds.
    this.#result = host.version >= 85 ? 0 : negative('ENXIO');
  }

  add({ result, json }: Outcome): void {
    if (result === 0) this.#processed += 1;
    // In 76 the last result decides; in 85 the first result that is not 0 stays.
    if (this.#host.version < 85 || this.#result === 0) this.#result = result;
    // Like daxctl, only the last device is printed.
    if (json) this.#json = json;
  }

  finish(error: string, done: string, noun: string, human = false): VerbResult {
    if (this.#result < 0) this.tell(`${error}: ${strerror(this.#result)}`);
    this.tell(`${done} ${this.#processed} ${noun}${this.#processed === 1 ? '' : 's'}`);
    return {
      exit: this.#result & 0xff,
      stdout: this.#json ? formatResults([this.#json], human) : '',
      stderr: this.#lines.map((line) => `${line}\n`).join(''),
    };
  }
}

const MESSAGES: Record<number, string> = {
  [negative('EPERM')]: 'Operation not permitted',
  [negative('ENOENT')]: 'No such file or directory',
  [negative('ENXIO')]: 'No such device or address',
  [negative('EACCES')]: 'Permission denied',
  [negative('EBUSY')]: 'Device or resource busy',
  [negative('ENODEV')]: 'No such device',
  [negative('EINVAL')]: 'Invalid argument',
  [negative('ENOSPC')]: 'No space left on device',
};

function strerror(result: number): string {
  return MESSAGES[result] ?? `Unknown error ${-result}`;
}
