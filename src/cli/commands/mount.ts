import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  fuseMountAt,
  fuseMountState,
  listFuseMounts,
  resolveMountpoint,
  unmountFuse,
} from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import { isDeviceName, openMachine } from '../../machine/index.js';
import { mountFamfsAt, mountSysfsAt } from '../../mounts/index.js';
import {
  isDaemon,
  type MountRecord,
  MountRecords,
  mustNotHideState,
  runInNamespace,
  type Served,
  serve,
  startDaemon,
} from '../../mounts/serving.js';
import { logFormatArgument } from '../arguments/log-format.js';
import { type Context, globalWords } from '../context.js';
import { AlreadyReported, UsageError } from '../errors.js';
import { machineOf, requireMachineOf } from '../opening.js';
import { keeperPid } from '../set-mode.js';

/** Milliseconds a daemon may take to end after its mount is gone: it publishes what is left. */
const DAEMON_END_MS = 30_000;
/** Milliseconds after which the daemon of a forced unmount is asked to end. */
const ASK_AFTER_MS = 300;

interface MountFlags {
  foreground?: boolean;
  allowOther?: boolean;
  readOnly?: boolean;
  clientWrites?: boolean;
  xattr?: boolean;
  plain?: boolean;
  wirelog?: boolean;
  settle?: string;
  zeroCopy?: string;
  metrics?: string | undefined;
  logFormat?: string;
}

/** `udax mount` */
export async function mount(context: Context, [device = '', directory = '']: string[], flags: MountFlags) {
  const where = isDeviceName(device) ? device : resolve(device);
  requireMachineOf(context, where);
  const settleMilliseconds = settleTime(flags.settle);
  const zeroCopy = zeroCopyWhen(flags.zeroCopy);
  const metrics = await placeOfMetrics(flags.metrics);
  const keeper = keeperPid();
  const about = {
    kind: 'famfs',
    what: where,
    mountpoint: resolve(directory),
    ...(keeper !== undefined && { keeper }),
  } as const;
  const mountHere = () =>
    mountFamfsAt(where, about.mountpoint, {
      ...machineOf(context),
      readOnly: flags.readOnly ?? false,
      clientWrites: flags.clientWrites ?? false,
      xattrs: flags.xattr ?? true,
      plain: flags.plain ?? false,
      ...(settleMilliseconds !== undefined && { settleMilliseconds }),
      ...(zeroCopy && { zeroCopy }),
      ...(context.role && { role: context.role }),
      measure: metrics !== undefined,
      ...common(context, flags),
    });
  const words = [where, about.mountpoint];
  await mountInBackgroundOrHere(context, about, { ...flags, metrics }, words, async () => {
    if (metrics === undefined) return mountHere();
    const { mountWithMetrics } = await import('../metrics/of-mount.js');
    return mountWithMetrics(context, where, metrics, mountHere);
  });
}

/** The place to listen, for a process in another directory. A mount without metrics does not load what serves them. */
async function placeOfMetrics(text: string | undefined): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const { absolutePlace } = await import('../metrics/serve.js');
  return absolutePlace(text);
}

/** `udax sysfs` */
export async function sysfs(context: Context, [directory = '']: string[], flags: MountFlags) {
  openMachine(context.root).close(); // reports here that the machine is missing or wrong
  const about = { kind: 'sysfs', what: context.root, mountpoint: resolve(directory) } as const;
  await mountInBackgroundOrHere(context, about, flags, [about.mountpoint], () =>
    mountSysfsAt(about.mountpoint, { root: context.root, ...common(context, flags) }),
  );
}

function settleTime(seconds: string | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  const number = /^\d+(\.\d+)?$/.test(seconds) ? Number(seconds) : Number.NaN;
  if (Number.isNaN(number)) throw new UsageError(`--settle takes seconds (1, 0.5, 0), not ${seconds}`);
  return number * 1000;
}

function zeroCopyWhen(word: string | undefined): 'auto' | 'always' | 'never' | undefined {
  if (word === undefined || word === 'auto' || word === 'always' || word === 'never') return word;
  throw new UsageError(`--zero-copy takes auto, always or never, not ${word}`);
}

function common(context: Context, flags: MountFlags) {
  return {
    allowOther: flags.allowOther ?? false,
    tellRefusals: isDaemon(), // into its log; a terminal is not disturbed by them
    onReport: (error: Error) => context.output.note(`udax: ${error.message}`, 'error'),
    ...(flags.wirelog && { onWire: (line: string) => context.output.note(line) }),
  };
}

async function mountInBackgroundOrHere(
  context: Context,
  about: Omit<MountRecord, 'pid'>,
  flags: MountFlags,
  words: string[],
  mountHere: () => Promise<Served>,
): Promise<void> {
  const logFormat = logFormatArgument(flags.logFormat);
  const records = new MountRecords(context.root);
  mustNotHideState(about.mountpoint, context.root);
  await mustNotBeMounted(records, about.mountpoint);
  if (flags.foreground || isDaemon()) {
    await serve(
      records,
      about,
      mountHere,
      context.interruptible(),
      ({ mountpoint, metrics }) => context.output.note(servingText(about.what, mountpoint, metrics)),
      (why) => context.output.note(why, 'error'),
    );
    return;
  }
  if (flags.wirelog) throw new UsageError('--wirelog shows messages as they pass: it needs -f');
  const dead = await records.takeDead(about.mountpoint);
  if (dead?.lastWords) context.output.note(`udax: what was mounted there before is gone: ${dead.lastWords}`);
  records.prepare();
  const command = about.kind === 'famfs' ? 'mount' : 'sysfs';
  const options = [
    '-f',
    ...(flags.allowOther ? ['--allow-other'] : []),
    ...(flags.readOnly ? ['--read-only'] : []),
    ...(flags.clientWrites ? ['--client-writes'] : []),
    ...(flags.xattr === false ? ['--no-xattr'] : []),
    ...(flags.plain ? ['--plain'] : []),
    ...(flags.settle === undefined ? [] : ['--settle', flags.settle]),
    ...(flags.zeroCopy === undefined ? [] : ['--zero-copy', flags.zeroCopy]),
    ...(flags.metrics === undefined ? [] : ['--metrics', flags.metrics]),
    ...(flags.logFormat === undefined ? [] : ['--log-format', flags.logFormat]),
  ];
  const argv = [process.argv[1]!, ...globalWords(context), command, ...options, '--', ...words];
  const logPath = records.logPath(about.mountpoint);
  const { pid, mountpoint, note, metrics } = await startDaemon(argv, logPath, logFormat);
  if (note !== undefined) context.output.note(`udax: ${note}`);
  context.show({ pid, mountpoint, what: about.what, ...(metrics !== undefined && { metrics }) }, () => {
    const at = metrics === undefined ? '' : `, its metrics at ${metrics}`;
    return `${about.what} is at ${mountpoint} (pid ${pid})${at}`;
  });
}

function servingText(what: string, mountpoint: string, metrics: string | undefined): string {
  const at = metrics === undefined ? '' : `, its metrics at ${metrics}`;
  return `${what} is at ${mountpoint}${at}; Ctrl-C or udax umount ends it`;
}

/** Refuses a directory with a live mount of udax. The kernel's table shows the mount; a record names its process. */
async function mustNotBeMounted(records: MountRecords, directory: string): Promise<void> {
  const mount = fuseMountAt(directory);
  if (mount?.type !== 'fuse.udax' || (await fuseMountState(directory)) === 'dead') return;
  const { mountpoint, source } = mount;
  const record = records.at(directory);
  const by = record ? `, by pid ${record.pid}` : '';
  fail(
    'EBUSY',
    `${mountpoint} has ${record?.what ?? source} mounted already${by}: udax umount ${mountpoint} first`,
    {
      path: mountpoint,
    },
  );
}

/** `udax umount` */
export async function umount(context: Context, [directory = '']: string[], flags: { force?: boolean }) {
  const records = new MountRecords(context.root);
  const mountpoint = resolveMountpoint(directory);
  const isForced = flags.force ?? false;
  const record = records.at(directory);
  if (fuseMountAt(directory) === null) {
    await endDetached(context, records, mountpoint, record, isForced);
    return;
  }
  const found = await unmountFuse(directory, { whenBusy: isForced ? 'abort' : 'fail' });
  if (record) await daemonEnd(records, record, isForced);
  const dead = await records.takeDead(directory);
  context.show(
    { mountpoint, found, ...((record ?? dead?.record) && { pid: (record ?? dead!.record).pid }) },
    () =>
      found === 'dead'
        ? `${mountpoint}: removed the mount of a daemon that was gone${dead?.lastWords ? `: ${dead.lastWords}` : ''}`
        : `${mountpoint} is unmounted`,
  );
}

/** Handles a directory without a mount: reports and cleans up what records say of it, and with force ends the daemon. */
async function endDetached(
  context: Context,
  records: MountRecords,
  mountpoint: string,
  record: MountRecord | undefined,
  isForced: boolean,
): Promise<void> {
  if (record === undefined) {
    const dead = await records.takeDead(mountpoint);
    const words = dead ? ` any more: ${dead.lastWords ?? `its daemon (pid ${dead.record.pid}) is gone`}` : '';
    fail('EINVAL', `${mountpoint} is not mounted${words} (udax mounts lists what is)`, {
      path: mountpoint,
    });
  }
  const { pid } = record;
  if (isMountedFor(pid, mountpoint)) {
    fail(
      'EINVAL',
      `${mountpoint} is not mounted here but in another mount namespace, that of its daemon: nsenter -t ${pid} -m udax umount ${mountpoint}`,
      { path: mountpoint },
    );
  }
  if (!isForced) {
    fail(
      'EINVAL',
      `${mountpoint} is not mounted any more (umount -l?): its daemon (pid ${pid}) goes on for those who have files of it ` +
        `open, and ends with the last of them; udax umount -f ${mountpoint} ends it now`,
      { path: mountpoint },
    );
  }
  process.kill(pid, 'SIGTERM'); // its record is locked, so this pid is still the daemon's
  await daemonEnd(records, record, false);
  context.show(
    { mountpoint, found: 'detached', pid },
    () => `${mountpoint}: ended the daemon of a mount that was taken away`,
  );
}

/** Whether a process sees a FUSE mount on a directory. */
function isMountedFor(pid: number, mountpoint: string): boolean {
  try {
    return listFuseMounts(`/proc/${pid}/mountinfo`).some((mount) => mount.mountpoint === mountpoint);
  } catch {
    return false; // the process has ended
  }
}

/**
 * Waits until a daemon has ended. Only root can end the connection of a busy mount that was forced away. For other users the
 * daemon does it when asked.
 */
async function daemonEnd(
  records: MountRecords,
  { mountpoint, pid, keeper }: MountRecord,
  isForced: boolean,
): Promise<void> {
  const start = performance.now();
  let isAsked = !isForced;
  const serves = () => records.at(mountpoint)?.pid === pid;
  const isKept = () => keeper !== undefined && existsSync(`/proc/${keeper}`);
  while (serves() || isKept()) {
    const waited = performance.now() - start;
    if (!isAsked && waited > ASK_AFTER_MS && serves()) {
      isAsked = true;
      process.kill(pid, 'SIGTERM'); // its record is locked, so this pid is still the daemon's
    }
    if (waited > DAEMON_END_MS) {
      fail(
        'EBUSY',
        `${mountpoint} is unmounted, but its daemon (pid ${keeper ?? pid}) has not ended in ${DAEMON_END_MS / 1000} s`,
      );
    }
    await pause(20);
  }
}

/** `udax shell` */
export async function shell(context: Context, command: string[]): Promise<void> {
  openMachine(context.root).close(); // reports here that the machine is missing or wrong
  const words = command.length > 0 ? command : [process.env.SHELL ?? '/bin/sh'];
  const status = await runInNamespace(words, {
    root: context.root,
    onReport: (error) => context.output.note(`udax: ${error.message}`),
  });
  if (status !== 0) throw new AlreadyReported(status);
}
