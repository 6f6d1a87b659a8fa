import { readFileSync } from 'node:fs';
import {
  type Arena,
  type ArenaStats,
  createArena,
  type Eviction,
  fsckArena,
  openArena,
} from '../../arena/index.js';
import type { Volume } from '../../famfs/index.js';
import { fail } from '../../libc/index.js';
import { volumeAddress } from '../arguments/address.js';
import { integerArgument } from '../arguments/numbers.js';
import { type OwnershipFlags, ownershipOf } from '../arguments/ownership.js';
import { positiveSizeArgument, sizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { AlreadyReported, UsageError } from '../errors.js';
import { patienceOf, withVolume } from '../opening.js';
import { count, humanSize } from '../output/human.js';
import { formatPairs, formatTable, visible } from '../output/table.js';

interface ArenaFlags extends OwnershipFlags {
  size?: string;
  slots?: string;
  hosts?: string;
  align?: string;
  maxKey?: string;
  eviction?: string;
  ttl?: string;
  ifAbsent?: boolean;
  repair?: boolean;
  count?: string;
}

type Action = (context: Context, text: string, words: string[], flags: ArenaFlags) => void | Promise<void>;

const ACTIONS: Record<string, { run: Action; words: [least: number, most: number]; usage: string }> = {
  create: { run: create, words: [0, 0], usage: 'the arena and -s SIZE' },
  stat: { run: stat, words: [0, 0], usage: 'the arena' },
  ls: { run: list, words: [0, 1], usage: 'the arena and perhaps a prefix' },
  get: { run: get, words: [1, 1], usage: 'the arena and a key' },
  put: { run: put, words: [1, 2], usage: 'the arena, a key and perhaps a file (else stdin)' },
  rm: { run: remove, words: [1, Number.POSITIVE_INFINITY], usage: 'the arena and keys' },
  evict: { run: evict, words: [1, 1], usage: 'the arena and how many bytes' },
  fsck: { run: fsck, words: [0, 0], usage: 'the arena' },
  bench: { run: bench, words: [0, 0], usage: 'the arena' },
};

/** `udax arena create|stat|ls|get|put|rm|evict|fsck|bench` */
export async function arena(context: Context, args: string[], flags: ArenaFlags): Promise<void> {
  const [name, text, ...words] = args;
  const action = Object.hasOwn(ACTIONS, name ?? '') ? ACTIONS[name!] : undefined;
  if (action === undefined)
    throw new UsageError(`arena knows ${Object.keys(ACTIONS).join(', ')}, not "${name}"`);
  const [least, most] = action.words;
  if (text === undefined || words.length < least || words.length > most)
    throw new UsageError(`arena ${name} wants ${action.usage}`);
  await action.run(context, text, words, flags);
}

/** Opens an arena for one command. */
function withArena<T>(
  context: Context,
  text: string,
  readOnly: boolean,
  use: (arena: Arena, path: string) => T,
): T {
  const { device, path } = volumeAddress(text);
  const withIt = (volume: Volume): T => {
    const opened = openArena(volume, path, { readOnly, ...patienceOf(context) });
    let result: T;
    try {
      result = use(opened, path);
    } catch (error) {
      opened.close();
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => opened.close()) as T;
    opened.close();
    return result;
  };
  const options = readOnly ? { readOnly } : { readOnly, clientWrites: true };
  return withVolume(context, device, options, withIt);
}

function create(context: Context, text: string, _words: string[], flags: ArenaFlags): void {
  const { device, path } = volumeAddress(text);
  if (flags.size === undefined) throw new UsageError('arena create needs -s SIZE, like -s 1GiB');
  const { eviction } = flags;
  if (eviction !== undefined && !['none', 'clock', 'fifo'].includes(eviction))
    throw new UsageError(`-e POLICY is none, clock or fifo, not "${eviction}"`);
  const options = {
    size: positiveSizeArgument(flags.size, '-s SIZE'),
    ...(flags.slots !== undefined && { slots: integerArgument(flags.slots, '--slots N', 1) }),
    ...(flags.hosts !== undefined && { hosts: integerArgument(flags.hosts, '--hosts N', 1, 64) }),
    ...(flags.align !== undefined && { align: positiveSizeArgument(flags.align, '-a SIZE') }),
    ...(flags.maxKey !== undefined && { maxKeyBytes: integerArgument(flags.maxKey, '--max-key N', 1, 255) }),
    ...(eviction !== undefined && { eviction: eviction as Eviction }),
    ...ownershipOf(flags),
  };
  withVolume(context, device, { readOnly: false }, (volume) => createArena(volume, path, options));
  stat(context, text);
}

function stat(context: Context, text: string): void {
  const stats = withArena(context, text, true, (opened) => opened.stats());
  context.show(stats, () => formatPairs(pairsOf(text, stats)));
}

function pairsOf(text: string, stats: ArenaStats): [string, string][] {
  const members = stats.members.map(
    ({ pid, host, pins }) => `pid ${pid} of host ${host} (${count(pins, 'pin')})`,
  );
  return [
    ['arena', text],
    ['objects', `${stats.objects} of at most ${stats.slots}, keys up to ${stats.maxKeyBytes} bytes`],
    [
      'space',
      `${humanSize(stats.heap)} in ${count(stats.hosts, 'host')}, aligned to ${humanSize(stats.align)}`,
    ],
    [
      'used',
      `${humanSize(stats.used)}, reserved ${humanSize(stats.reserved)}, pinned and deleted ${humanSize(stats.limbo)}`,
    ],
    ['free', humanSize(stats.free)],
    ['when full', stats.eviction === 'none' ? 'refuses' : `evicts (${stats.eviction})`],
    [
      'calls',
      `${count(stats.puts, 'put')}, ${count(stats.deletes, 'delete')}, ${stats.evictions} evicted, ${stats.expirations} expired`,
    ],
    ['members', members.join(', ') || 'none'],
  ];
}

function list(context: Context, text: string, [prefix]: string[]): void {
  const entries = withArena(context, text, true, (opened) => [
    ...opened.list(prefix === undefined ? {} : { prefix }),
  ]);
  entries.sort((a, b) => Buffer.compare(a.key, b.key));
  context.show(
    entries.map(({ key, name, size, host, expires }) => ({
      key: Buffer.from(key).toString('base64'),
      name,
      size,
      host,
      expires,
    })),
    () =>
      formatTable(
        [{ heading: 'SIZE', right: true }, { heading: 'EXPIRES' }, { heading: 'KEY' }],
        entries.map(({ name, size, expires }) => [
          size,
          expires === undefined ? '-' : new Date(expires).toISOString(),
          visible(name),
        ]),
      ),
  );
}

async function get(context: Context, text: string, [key]: string[]): Promise<void> {
  const value = withArena(
    context,
    text,
    true,
    (opened, path) => opened.read(key!) ?? fail('ENOENT', `${path} has no object ${visible(key!)}`, { path }),
  );
  if (context.json) context.output.document({ key, value: Buffer.from(value).toString('base64') });
  else await context.output.bytes(value);
}

function put(context: Context, text: string, [key, file]: string[], flags: ArenaFlags): void {
  const value = readFileSync(file ?? 0);
  const options = {
    ...(flags.ttl !== undefined && { ttlMs: integerArgument(flags.ttl, '-t SECONDS', 1) * 1000 }),
    ...(flags.ifAbsent && { ifAbsent: true }),
  };
  withArena(context, text, false, (opened) => opened.put(key!, value, options));
  context.show({ key, size: value.length }, () => `${visible(key!)}: ${humanSize(value.length)}`);
}

function remove(context: Context, text: string, keys: string[]): void {
  const missing = withArena(context, text, false, (opened) => keys.filter((key) => !opened.delete(key)));
  context.show({ removed: keys.filter((key) => !missing.includes(key)), missing }, () => '');
  if (missing.length === 0) return;
  context.output.note(`udax: ${text} has no object ${missing.map(visible).join(', ')} (ENOENT)`);
  throw new AlreadyReported(1);
}

function evict(context: Context, text: string, [size]: string[]): void {
  const bytes = sizeArgument(size!, 'SIZE');
  const freed = withArena(context, text, false, (opened) => opened.evict(bytes));
  context.show({ freed }, () => `${humanSize(freed)} freed`);
}

function fsck(context: Context, text: string, _words: string[], { repair = false }: ArenaFlags): void {
  const { device, path } = volumeAddress(text);
  const options = repair ? { readOnly: false, clientWrites: true } : { readOnly: true };
  const report = withVolume(context, device, options, (volume) => fsckArena(volume, path, { repair }));
  context.show(report, () =>
    [
      ...report.problems.map(
        ({ isNote, code, message }) => `${isNote ? 'note' : 'problem'}: ${message} (${code})`,
      ),
      `${text}: ${report.ok ? 'ok' : 'not ok'}, ${count(report.objects, 'object')}`,
    ].join('\n'),
  );
  if (!report.ok) throw new AlreadyReported(1);
}

function bench(context: Context, text: string, _words: string[], flags: ArenaFlags): void {
  const size = positiveSizeArgument(flags.size ?? '1K', '-s SIZE');
  const times = integerArgument(flags.count ?? '10000', '-c COUNT', 1);
  const keys = Array.from({ length: times }, (_, i) => `udax-bench/${process.pid}/${i}`);
  const value = new Uint8Array(size).fill(7);
  const figures = withArena(context, text, false, (opened) => {
    const perSecond = (act: (key: string) => void): number => {
      const started = performance.now();
      for (const key of keys) act(key);
      return Math.round((times / (performance.now() - started)) * 1000);
    };
    try {
      return {
        put: perSecond((key) => opened.put(key, value)),
        get: perSecond((key) => opened.get(key)?.release()),
        has: perSecond((key) => opened.has(key)),
      };
    } finally {
      for (const key of keys) opened.delete(key);
    }
  });
  context.show({ size, count: times, ...figures }, () =>
    formatPairs(Object.entries(figures).map(([what, rate]) => [what, `${rate} a second`] as const)),
  );
}
