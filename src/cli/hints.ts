/**
 * The command for each hint of an error. The layers below src/cli/ name functions and options in their errors; a user of the
 * command line needs a command to type.
 */
import { type ErrorHint, hintOf } from '../libc/index.js';
import type { GivenMachine } from './context.js';

/**
 * Makes the command. `about` is the path or name the hint refers to (a placeholder like `DEVICE` when unknown); `command` is the
 * command that failed.
 */
type Step = (about: string | undefined, command: string) => string;

/** Makes the file system anew and copies the files back. */
const anew = (read: string, make: string, device = 'DEVICE') =>
  `udax ${read} ${device}:/ DIR, then udax ${make} ${device}, then udax cp -r DIR/. ${device}:/`;
const loses = '(what is there is lost)';

export const stepOfHint: Readonly<Record<ErrorHint, Step>> = {
  fsck: (device = 'DEVICE') => `udax fsck ${device}`,
  mkfs: (device = 'DEVICE') => `udax mkfs ${device}`,
  'mkfs-force': (device = 'DEVICE') => `udax mkfs -f ${device} ${loses}`,
  'mkfs-kill': (device = 'DEVICE') => `udax mkfs -k -f ${device} ${loses}`,
  'mkfs-anew': (device) => anew('cp -r', 'mkfs -f', device),
  'mkfs-longer-log': (device) => anew('cp -r', 'mkfs -f --loglen 256M', device),
  salvage: (device) => anew('cp -r --salvage', 'mkfs -f', device),
  owner: (device = 'DEVICE') => `udax info ${device}`,
  'take-over': (device = 'DEVICE') => `udax take-over --from UUID ${device}`,
  'take-over-force': (device = 'DEVICE') => `udax take-over --force ${device}`,
  'others-are-gone': (device = 'DEVICE', command) =>
    command === ''
      ? `udax compact --others-are-gone ${device}`
      : `udax ${command} --others-are-gone and the rest of the line`,
  'complete-rewrite': (device = 'DEVICE') =>
    `udax compact --dry-run ${device} (any mount of the owner sees to it)`,
  rm: (device = 'DEVICE') => `udax rm -r ${device}:/WHAT-IS-NOT-WANTED`,
  recursive: (path = '/path') => `udax rm -r DEVICE:${path}`,
  'reconfigure-famfs': (device = 'DEVICE') => `udax reconfigure-device -m famfs ${device}`,
  'reconfigure-devdax': (device = 'DEVICE') => `udax reconfigure-device -m devdax ${device}`,
  'kernel-devdax': (device = 'DEVICE') => borrowing(`reconfigure-device -m devdax ${device}`),
  'kernel-devdax-force': (device = 'DEVICE') => borrowing(`reconfigure-device -f -m devdax ${device}`),
  'kernel-enable': (device = 'DEVICE') => borrowing(`enable-device ${device}`),
  'disable-there': (root = 'ROOT') => `udax --root ${root} disable-device DEVICE`,
  'make-machine': (root = 'ROOT') => `udax --root ${root} create-region -s 1GiB`,
  'other-root': (_root, command) => `udax --root DIR ${command || 'status'}`,
  sparse: (backing = 'BACKING') => `udax create-region --sparse -s SIZE -b ${backing}`,
  umount: (directory = 'DIRECTORY') => `udax umount ${directory}`,
  'umount-force': (directory = 'DIRECTORY') => `udax umount -f ${directory}`,
  settle: () => 'udax mount --settle SECONDS DEVICE DIRECTORY',
  'copy-tree': (directory = 'DIRECTORY') => `udax cp -r ${directory} DEVICE:/`,
  'make-queue': (path = '/q') => `udax pcq create -n 1024 -b 64 DEVICE:${path}`,
};

function borrowing(change: string): string {
  return `udax --kernel ${change} (--set-mode does it for one command, and puts it back)`;
}

/** Returns the command to type after an error, for the machine of the command line; undefined when the error has no hint. */
export function commandFor(error: unknown, command: string, given: GivenMachine = {}): string | undefined {
  const { hint, hintPath } = hintOf(error);
  return hint && commandOfHint(hint, hintPath, command, given);
}

/** Like commandFor, for a problem that a check found on a device. */
export function commandOfHint(
  hint: ErrorHint,
  about: string | undefined,
  command: string,
  given: GivenMachine = {},
): string {
  // The error may come from another copy of the package that has more hints.
  const step = (stepOfHint as Record<string, Step | undefined>)[hint];
  if (step === undefined) return hint;
  const text = step(about === undefined ? undefined : quoted(about), command);
  return inSameMachine(text, given);
}

/** Adds `--root` and `--kernel` as given, because the same name is another device on another machine. */
function inSameMachine(text: string, { root, kernel }: GivenMachine): string {
  const words = [
    ...(root === undefined || text.includes('--root') ? [] : [`--root ${quoted(root)}`]),
    ...(!kernel || text.includes('--kernel') ? [] : ['--kernel']),
  ];
  return words.length === 0 ? text : text.replaceAll('udax ', `udax ${words.join(' ')} `);
}

/** Quotes a word for a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
