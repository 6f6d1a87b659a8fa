/**
 * Step faults from outside: udax commands run under `strace -e inject`, which lets the n-th system call on the state directory fail. It
 * sees calls that the injector of the process does not know: those of Node, of koffi and of libc themselves.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Finding } from './trying.js';
import { World } from './world.js';

/** The calls that fail, and how. */
const FAILURES: Record<string, readonly string[]> = {
  openat: ['EMFILE', 'EACCES'],
  'write,pwrite64,writev,pwritev': ['ENOSPC', 'EIO'],
  'ftruncate,fallocate': ['ENOSPC'],
  mmap: ['ENOMEM'],
  'fsync,fdatasync,msync': ['EIO'],
  'rename,renameat,renameat2,link,linkat': ['EIO'],
  'unlink,unlinkat,rmdir': ['EIO'],
  'mkdir,mkdirat': ['ENOSPC'],
  'chmod,fchmod,fchmodat': ['EPERM'],
  'read,pread64': ['EIO'],
  getdents64: ['EIO'],
};
/** Steps of one kind of call: an operation that has more of them has only these tried. */
const MOST_STEPS = 12;

interface Command {
  what: string;
  prepare(world: World): void;
  words(world: World): string[];
  /** A third state, which the next try goes on from. */
  mayBecome?: (look: string) => boolean;
}

const commands: Command[] = [
  {
    what: 'create-region',
    prepare: (world) => void world.machine,
    words: () => ['create-region', '-s', '32M'],
  },
  {
    what: 'destroy-region',
    prepare: (world) => void world.withRegion(),
    words: () => ['destroy-region', '0'],
  },
  {
    what: 'reconfigure-device',
    prepare: (world) => void world.withRegion(),
    words: () => ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
  },
  {
    what: 'mkfs',
    prepare: (world) => void world.withRegion().machine.reconfigure('dax0.0', 'famfs'),
    words: () => ['mkfs', 'dax0.0'],
  },
  { what: 'mkdir', prepare: (world) => void world.withFamfs(), words: () => ['mkdir', 'dax0.0:/d'] },
  {
    what: 'creat',
    prepare: (world) => void world.withFamfs(),
    words: () => ['creat', '-s', '8K', 'dax0.0:/f'],
  },
  {
    what: 'cp',
    prepare: (world) => {
      world.withFamfs();
      fs.writeFileSync(world.file('source'), new Uint8Array(3 * 2 ** 20).fill(9));
    },
    words: (world) => ['cp', world.file('source'), 'dax0.0:/f'],
  },
  {
    what: 'pcq create',
    prepare: (world) => void world.withFamfs(),
    words: () => ['pcq', '-n', '16', '-b', '64', 'create', 'dax0.0:/q'],
    // The consumer's file appears first; the next create goes on with it.
    mayBecome: (look) => look.includes('/q.consumer') && !look.includes('"/q"'),
  },
];

const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..');

interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
  /** The call that failed, as strace prints it; undefined when there was no such step. */
  injected: string | undefined;
}

/** Runs a command, under strace when there is something to inject. */
function run(
  world: World,
  words: readonly string[],
  inject?: { calls: string; errno: string; step: number },
): Ended {
  const log = world.file('strace');
  const udax = [process.execPath, path.join(checkout, 'bin/udax.js'), '--root', world.root, ...words];
  const strace = inject
    ? [
        ...['strace', '-f', '-o', log, '-e', `trace=${inject.calls}`],
        ...['-e', `inject=${inject.calls}:error=${inject.errno}:when=${inject.step}`],
        ...pathsOf(world).flatMap((name) => ['-P', name]),
      ]
    : [];
  const [program, ...args] = [...strace, ...udax];
  const { status, signal, stderr } = spawnSync(program!, args, {
    encoding: 'utf8',
    timeout: 60_000,
    env: environment(),
  });
  const lines = inject && fs.existsSync(log) ? fs.readFileSync(log, 'utf8').split('\n') : [];
  fs.rmSync(log, { force: true });
  return { status, signal, stderr, injected: lines.find((line) => line.includes('(INJECTED)')) };
}

const environment = () => ({ ...process.env, UDAX_ROOT: '', UDAX_SYSTEM_UUID: undefined });

/** strace matches whole paths only: those that are there, and those that a change makes. */
function pathsOf(world: World): string[] {
  const there = fs.existsSync(world.root)
    ? fs
        .readdirSync(world.root, { recursive: true, encoding: 'utf8' })
        .map((name) => path.join(world.root, name))
    : [];
  const made = ['machine.json.new', 'machine.json.draft', 'regions/0.mem', 'regions/0.mem.old'];
  return [...new Set([world.root, ...there, ...made.map((name) => path.join(world.root, name))])];
}

interface StraceRow {
  what: string;
  faults: number;
  findings: Finding[];
}

function prepared(command: Command): World {
  const world = new World();
  command.prepare(world);
  world.letGo();
  return world;
}

async function rowOf(command: Command): Promise<StraceRow> {
  const whole = prepared(command);
  const before = JSON.stringify(whole.look());
  const { status, stderr } = run(whole, command.words(whole));
  if (status !== 0) throw new Error(`${command.what} fails by itself: ${stderr}`);
  const after = JSON.stringify(whole.look());
  await whole.close();
  const row: StraceRow = { what: command.what, faults: 0, findings: [] };
  for (const [calls, errnos] of Object.entries(FAILURES)) {
    for (let step = 1; step <= MOST_STEPS; step++) {
      const errno = errnos[step % errnos.length]!;
      const world = prepared(command);
      try {
        const ended = run(world, command.words(world), { calls, errno, step });
        if (ended.injected === undefined) break;
        row.faults++;
        for (const what of wrongOf(command, world, ended, { before, after }))
          row.findings.push({
            operation: `${command.what} (strace)`,
            step,
            call: ended.injected,
            errno,
            what,
            stack: '',
          });
      } finally {
        await world.close();
      }
    }
  }
  return row;
}

function wrongOf(
  command: Command,
  world: World,
  { status, signal, stderr }: Ended,
  { before, after }: { before: string; after: string },
): string[] {
  if (signal !== null) return [`ended by ${signal}: ${stderr}`];
  const wrong: string[] = [];
  const look = JSON.stringify(world.look());
  if (status === 0 && look !== after) wrong.push(`said done, but it is not: ${look}`);
  if (status !== 0) {
    // The first line; a line with the command to try may follow.
    if (!/^udax: .*\([A-Z]+\)\n/.test(stderr))
      wrong.push(`no line with a reason and an errno: ${stderr.slice(0, 600)}`);
    if (look === after) wrong.push(`was done and reported as failed: ${stderr.slice(0, 300)}`);
    else if (look !== before && !command.mayBecome?.(look)) wrong.push(`left something half done: ${look}`);
    const again = run(world, command.words(world));
    if (again.status !== 0) wrong.push(`tried again it fails: ${again.stderr}`);
    else if (JSON.stringify(world.look()) !== after) wrong.push('tried again it ends elsewhere');
  }
  return wrong;
}

/** @returns the rows; null where strace is missing or may not trace */
export async function runUnderStrace(only: readonly string[] | undefined): Promise<StraceRow[] | null> {
  if (spawnSync('strace', ['true']).status !== 0) return null;
  const rows: StraceRow[] = [];
  for (const command of commands) {
    if (only && !only.includes(command.what)) continue;
    const row = await rowOf(command);
    process.stderr.write(`${row.what} (strace): ${row.faults} faults, ${row.findings.length} found\n`);
    rows.push(row);
  }
  return rows;
}
