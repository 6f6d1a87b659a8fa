import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDeviceName } from '../../machine/index.js';
import { sizeArgument } from '../arguments/size.js';
import { type Context, globalWords } from '../context.js';
import { UsageError } from '../errors.js';
import { absolutePlace } from '../metrics/serve.js';
import { path as quotedPath, words as quotedWords, type Section, unitText } from '../output/systemd.js';

interface UnitFlags {
  ram?: string;
  size?: string;
  readOnly?: boolean;
  allowOther?: boolean;
  metrics?: string;
  user?: boolean;
}

const SECONDS_TO_END = 60;
const MACHINE_UNIT = 'udax-machine.service';

/** `udax systemd-unit` */
export function systemdUnit(
  context: Context,
  [what = '', device, directory]: string[],
  flags: UnitFlags,
): void {
  if (what !== 'mount' && what !== 'machine')
    throw new UsageError(`systemd-unit prints the unit of a mount or a machine, not of "${what}"`);
  const { name, sections } =
    what === 'mount' ? mountUnit(context, device, directory, flags) : machineUnit(context, device, flags);
  const folder = flags.user ? '~/.config/systemd/user' : '/etc/systemd/system';
  const text = unitText([`${folder}/${name}, printed by udax systemd-unit`], sections);
  context.show({ name, text }, () => text.trimEnd());
}

function mountUnit(
  context: Context,
  device: string | undefined,
  directory: string | undefined,
  flags: UnitFlags,
): { name: string; sections: Section[] } {
  if (device === undefined || directory === undefined)
    throw new UsageError('systemd-unit mount needs DEVICE and DIRECTORY, like dax0.0 /mnt');
  if (flags.ram !== undefined || flags.size !== undefined)
    throw new UsageError('--ram and -s are for the unit of a machine');
  const where = isDeviceName(device) ? device : resolve(device);
  const at = resolve(directory);
  const options = [
    '-f',
    '--log-format=json',
    ...(flags.readOnly ? ['--read-only'] : []),
    ...(flags.allowOther ? ['--allow-other'] : []),
    ...(flags.metrics === undefined ? [] : ['--metrics', absolutePlace(flags.metrics)]),
  ];
  // Ready is when the mount is there; a daemon that ended is not waited for.
  const ready = `until mountpoint -q "$1"; do kill -0 "$2" || exit 1; sleep 0.05; done`;
  const unit: Section = [
    'Unit',
    [
      ['Description', quoted(`udax: ${where} at ${at}`)],
      ['Documentation', 'man:udax(1)'],
      ...needed(context, [at]),
      ...(isDeviceName(where) && !context.kernel
        ? ([
            ['Wants', MACHINE_UNIT],
            ['After', MACHINE_UNIT],
          ] as const)
        : []),
    ],
  ];
  const service: Section = [
    'Service',
    [
      ['Type', 'exec'],
      ['ExecStart', command(context, ['mount', ...options, '--', where, at])],
      [
        'ExecStartPost',
        `/bin/sh -c '${quoted(ready).replaceAll('$', '$$$$')}' sh ${quotedWords([at])} $MAINPID`,
      ],
      ['TimeoutStopSec', String(SECONDS_TO_END)],
      ['KillMode', 'mixed'],
      ['Restart', 'on-failure'],
      ['RestartSec', '1'],
      ['LimitNOFILE', '65536'],
    ],
  ];
  const name = `udax-${unitWord(at)}.service`;
  return { name, sections: [unit, service, install(flags)] };
}

function machineUnit(
  context: Context,
  extra: string | undefined,
  flags: UnitFlags,
): { name: string; sections: Section[] } {
  if (extra !== undefined) throw new UsageError(`systemd-unit machine takes no "${extra}"`);
  if (context.kernel)
    throw new UsageError("the kernel's devices are there at boot: only their mounts have units");
  if ((flags.ram === undefined) === (flags.size === undefined))
    throw new UsageError(
      'systemd-unit machine needs --ram SIZE (memory, made anew at each start) or -s SIZE (a file, made once)',
    );
  if (flags.readOnly || flags.allowOther || flags.metrics !== undefined)
    throw new UsageError('--read-only, --allow-other and --metrics are for the unit of a mount');
  sizeArgument(flags.ram ?? flags.size!, flags.ram === undefined ? '-s SIZE' : '--ram SIZE');
  const isRam = flags.ram !== undefined;
  const made = isRam ? ['--ram', flags.ram!] : ['-s', flags.size!];
  const document = resolve(context.root, 'machine.json');
  const unit: Section = [
    'Unit',
    [
      ['Description', quoted(`udax: the machine at ${context.root}`)],
      ['Documentation', 'man:udax(1)'],
      ...needed(context, []),
      // A file keeps its files: it is made when there is no machine, and then never again.
      ...(isRam ? [] : ([['ConditionPathExists', `!${quoted(document)}`]] as const)),
    ],
  ];
  const region = command(context, ['destroy-region', '-f', '0']);
  const service: Section = [
    'Service',
    [
      ['Type', 'oneshot'],
      ['RemainAfterExit', 'yes'],
      // What is left of a region whose memory a restart has emptied.
      ...(isRam ? ([['ExecStartPre', `-${region}`]] as const) : []),
      ['ExecStart', command(context, ['create-region', ...made])],
      ['ExecStart', command(context, ['reconfigure-device', '-m', 'famfs', 'dax0.0'])],
      ['ExecStart', command(context, ['mkfs', 'dax0.0'])],
      ...(isRam ? ([['ExecStop', region]] as const) : []),
    ],
  ];
  return { name: MACHINE_UNIT, sections: [unit, service, install(flags)] };
}

/** What must be mounted before: the places that the unit uses. */
function needed({ root, kernel }: Context, places: readonly string[]): (readonly [string, string])[] {
  const wanted = [...(kernel === undefined ? [root] : []), ...places];
  return wanted.map((place) => ['RequiresMountsFor', quotedPath(place)] as const);
}

function install({ user }: UnitFlags): Section {
  return ['Install', [['WantedBy', user ? 'default.target' : 'multi-user.target']]];
}

/** A command line of this installation: this Node and this program, by their absolute paths. */
function command(context: Context, words: readonly string[]): string {
  return quotedWords([process.execPath, realpathSync(process.argv[1]!), ...globalWords(context), ...words]);
}

function quoted(text: string): string {
  return text.replaceAll('%', '%%').replaceAll('\n', ' ');
}

/** A part of a unit's name for a path: `/mnt/models` is `mnt-models`. What a name cannot have is `_`. */
function unitWord(path: string): string {
  return (
    path
      .slice(1)
      .replaceAll('/', '-')
      .replace(/[^\w.:-]/g, '_') || 'root'
  );
}
