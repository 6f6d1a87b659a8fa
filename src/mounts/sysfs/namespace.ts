import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkArguments, fail, listOf, startProgram, text } from '../../libc/index.js';
import { keepDeviceNodes, mountSysfsAt, type SysfsMountOptions, sysfsMountOptions } from './mount.js';

/** Directories of the machine's tree that change while the namespace lives. They are bind-mounted, so they show the current state. */
const LIVE_DIRECTORIES = [
  'bus/dax',
  'dev/char',
  'devices/udax',
  'devices/system/memory',
  'devices/system/node',
];

/**
 * Runs in the new namespace, as sh -c SCRIPT sh TREE WORK COMMAND... It writes "ready" to descriptor 3, and waits for a line on
 * descriptor 4. /sys becomes the machine's tree over the host's (overlay), or the tree alone when overlays do not work. /dev
 * becomes a new tmpfs with the host's nodes bind-mounted into it. The tmpfs is nodev: the nodes of the machine's devices are for
 * stat(2) only, so that an open never reaches a real driver with the same number.
 */
const SCRIPT = `
set -e
tree=$1; work=$2; shift 2
if mount -t overlay udax -o "ro,lowerdir=$tree:/sys" /sys 2>/dev/null; then
  for directory in ${LIVE_DIRECTORIES.join(' ')}; do
    if [ -d "$tree/$directory" ]; then mount --bind "$tree/$directory" "/sys/$directory"; fi
  done
else
  mount --bind "$tree" /sys
fi
mkdir "$work/dev"
mount -t tmpfs -o mode=0755,nosuid,noexec,nodev udax-dev "$work/dev"
for path in /dev/* /dev/.[!.]*; do
  name=\${path##*/}
  case $name in dax[0-9]*|tty[0-9]*|ttyS*|vcs*) continue;; esac
  if [ -L "$path" ]; then cp -a "$path" "$work/dev/$name"
  elif [ -d "$path" ]; then mkdir "$work/dev/$name"; mount --rbind "$path" "$work/dev/$name"
  elif [ -e "$path" ]; then : > "$work/dev/$name"; mount --bind "$path" "$work/dev/$name"
  fi
done
mount --move "$work/dev" /dev
echo ready >&3
read -r go <&4
exec 3>&- 4<&-
exec "$@"
`;

/**
 * Runs a command in a private mount namespace where /sys and /dev show the machine's regions and devices, so that unmodified
 * tools (daxctl) work on them. Root only. The host's own /sys and /dev do not change. Mounts that the command makes end with it.
 * @returns the exit status of the command; 128 + N when signal N (HUP, INT, KILL or TERM) ended it, 128 for other signals
 * @throws DaxError EPERM not root, or no right to mount; ENOENT no unshare(1); as mountSysfsAt()
 */
export async function runInNamespace(
  command: readonly string[],
  options: SysfsMountOptions = {},
): Promise<number> {
  checkArguments('runInNamespace', [command, options], {
    command: listOf(text),
    options: sysfsMountOptions,
  });
  if (process.getuid?.() !== 0) {
    fail('EPERM', 'a namespace with its own /sys and /dev needs root: run it with sudo');
  }
  const directory = fs.mkdtempSync(join(tmpdir(), 'udax-shell-'));
  try {
    const tree = join(directory, 'sys');
    fs.mkdirSync(tree);
    // As in /sys, all users may read. Outside the namespace they cannot reach the tree: its parent directory is closed to them.
    const session = await mountSysfsAt(tree, { ...options, allowOther: true });
    try {
      const child = await start(command, tree, directory);
      return await finish(child, () => keepDeviceNodes(session, `/proc/${child.pid}/root/dev`));
    } finally {
      await session.unmount();
    }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function start(command: readonly string[], tree: string, work: string): Promise<ChildProcess> {
  const shell = ['sh', '-c', SCRIPT, 'sh', tree, work, ...command];
  return startProgram('unshare', ['--mount', '--propagation', 'private', ...shell], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe', 'pipe'],
  });
}

/** Waits for the namespace, prepares it, starts the command, and waits for its end. */
async function finish(child: ChildProcess, prepare: () => Promise<void>): Promise<number> {
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
  });
  const ready = new Promise<boolean>((resolve) => {
    const pipe = child.stdio[3] as NodeJS.ReadableStream;
    pipe.once('data', () => resolve(true));
    pipe.once('end', () => resolve(false));
  });
  // Ctrl-C is for the command. This process ends when the command does.
  const ignore = () => {};
  process.on('SIGINT', ignore);
  try {
    if (!(await ready)) {
      const status = await ended;
      fail('EPERM', `the namespace could not be made (exit ${status}): are mounts allowed here?`);
    }
    const go = child.stdio[4] as NodeJS.WritableStream;
    try {
      await prepare();
    } catch (error) {
      child.kill('SIGKILL');
      await ended;
      throw error;
    }
    go.end('go\n');
    return await ended;
  } finally {
    process.removeListener('SIGINT', ignore);
  }
}

function signalNumber(signal: NodeJS.Signals | null): number {
  const numbers: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
  return signal === null ? 0 : (numbers[signal] ?? 0);
}
