/** Runs one command line of daxctl 76 or 85. */

import { type OptionTable, type ParsedArguments, parseArguments, parseSize } from './arguments.js';
import { isMode, type Selection } from './discover.js';
import type { DaxctlHost } from './host.js';
import { listText } from './list.js';
import {
  createDevice,
  destroyDevice,
  disableDevice,
  enableDevice,
  offlineVerb,
  onlineVerb,
  reconfigureDevice,
  type VerbResult,
} from './verbs.js';

/** The exit code of git-style option parsing when it prints the usage. */
const USAGE_EXIT = 129;

const REGION = { r: { long: 'region', value: true, key: 'region' } } as const;
const HUMAN = { u: { long: 'human', key: 'human' } } as const;
const VERBOSE = { v: { long: 'verbose', key: 'verbose' } } as const;
const FORCE = { f: { long: 'force', key: 'force' } } as const;
const NO_MOVABLE = { M: { long: 'no-movable', key: 'no-movable' } } as const;
const GEOMETRY = {
  s: { long: 'size', value: true, key: 'size' },
  a: { long: 'align', value: true, key: 'align' },
} as const;

interface Verb {
  readonly options: OptionTable;
  /** True: it takes exactly one operand, a device name or `all`. False: it takes none. */
  readonly device: boolean;
  /** Returns null when an option's value cannot be parsed: the usage is printed then. */
  readonly run: (host: DaxctlHost, parsed: ParsedArguments) => VerbResult | null;
}

const VERBS: Record<string, Verb> = {
  list: {
    device: false,
    options: {
      ...REGION,
      ...HUMAN,
      d: { long: 'dev', value: true, key: 'device' },
      D: { long: 'devices', key: 'devices' },
      R: { long: 'regions', key: 'regions' },
      M: { long: 'mappings', key: 'mappings' },
      i: { long: 'idle', key: 'idle' },
    },
    run: (host, { flags, values }) => ({
      exit: 0,
      stdout: listText(host, {
        devices: flags.has('devices'),
        regions: flags.has('regions'),
        mappings: flags.has('mappings'),
        idle: flags.has('idle'),
        human: flags.has('human'),
        region: values.get('region') ?? null,
        device: values.get('device') ?? null,
      }),
      stderr: '',
    }),
  },
  'create-device': {
    device: false,
    options: { ...REGION, ...GEOMETRY, ...HUMAN, ...VERBOSE },
    run(host, { flags, values }) {
      const geometry = geometryOf(values);
      if (geometry === null) return null;
      return createDevice(host, {
        ...geometry,
        region: values.get('region') ?? null,
        human: flags.has('human'),
      });
    },
  },
  'destroy-device': {
    device: true,
    options: { ...REGION, ...FORCE, ...VERBOSE, ...HUMAN },
    run: (host, parsed) => destroyDevice(host, selectionOf(parsed), { force: parsed.flags.has('force') }),
  },
  'enable-device': {
    device: true,
    options: { ...REGION, ...VERBOSE, ...HUMAN },
    run: (host, parsed) => enableDevice(host, selectionOf(parsed)),
  },
  'disable-device': {
    device: true,
    options: { ...REGION, ...FORCE, ...VERBOSE, ...HUMAN },
    run: (host, parsed) => disableDevice(host, selectionOf(parsed)),
  },
  'reconfigure-device': {
    device: true,
    options: {
      ...REGION,
      ...GEOMETRY,
      ...FORCE,
      ...NO_MOVABLE,
      ...HUMAN,
      ...VERBOSE,
      m: { long: 'mode', value: true, key: 'mode' },
      N: { long: 'no-online', key: 'no-online' },
    },
    run: reconfigure,
  },
  'online-memory': {
    device: true,
    options: { ...REGION, ...NO_MOVABLE, ...VERBOSE, ...HUMAN },
    run: (host, parsed) =>
      onlineVerb(host, selectionOf(parsed), { movable: !parsed.flags.has('no-movable') }),
  },
  'offline-memory': {
    device: true,
    options: { ...REGION, ...VERBOSE, ...HUMAN },
    run: (host, parsed) => offlineVerb(host, selectionOf(parsed)),
  },
};

/** The output of `daxctl --version` of the recorded programs. */
const VERSION_TEXT = { 76: '76.1', 85: '85' } as const;

/** Runs a command line. @param words the words after `daxctl` */
export function runDaxctl(host: DaxctlHost, words: readonly string[]): VerbResult {
  const [name = '', ...rest] = words;
  if (name === '--version' || name === 'version')
    return { exit: 0, stdout: `${VERSION_TEXT[host.version]}\n`, stderr: '' };
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (verb === undefined) return { exit: 1, stdout: '', stderr: `Unknown command: '${name}'\n` };
  // The real daxctl opens its manual page. There is none here, as on the recorded machine.
  if (rest.includes('--help'))
    return { exit: 255, stdout: '', stderr: 'no man viewer handled the request\n' };
  const parsed = parseArguments(rest, verb.options);
  if (parsed === null || parsed.operands.length !== (verb.device ? 1 : 0)) return usage(name);
  return verb.run(host, parsed) ?? usage(name);
}

function reconfigure(host: DaxctlHost, parsed: ParsedArguments): VerbResult | null {
  const { flags, values } = parsed;
  const mode = values.get('mode') ?? null;
  const geometry = geometryOf(values);
  if (geometry === null) return null;
  if (mode === null && geometry.size === null && geometry.align === null) return null;
  // The other modes have no memory to keep offline.
  if (flags.has('no-online') && mode !== null && mode !== 'system-ram' && isMode(host, mode)) return null;
  return reconfigureDevice(host, selectionOf(parsed), {
    ...geometry,
    mode,
    force: flags.has('force'),
    online: !flags.has('no-online'),
    movable: !flags.has('no-movable'),
    human: flags.has('human'),
  });
}

function selectionOf({ values, operands }: ParsedArguments): Selection {
  return { device: operands[0] ?? null, region: values.get('region') ?? null };
}

function geometryOf(values: Map<string, string>): { size: number | null; align: number | null } | null {
  const size = values.get('size');
  const align = values.get('align');
  const geometry = {
    size: size === undefined ? null : parseSize(size),
    align: align === undefined ? null : parseSize(align),
  };
  const unreadable =
    (size !== undefined && geometry.size === null) || (align !== undefined && geometry.align === null);
  return unreadable ? null : geometry;
}

function usage(name: string): VerbResult {
  return { exit: USAGE_EXIT, stdout: '', stderr: `usage: daxctl ${name} [options], see udax help ${name}\n` };
}
