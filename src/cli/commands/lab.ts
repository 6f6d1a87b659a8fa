import { type ExploreOptions, exploreLater } from '../../lab/explore/index.js';
import { replayLater } from '../../lab/replay/index.js';
import { hasCode } from '../../libc/index.js';
import { integerArgument } from '../arguments/numbers.js';
import type { Context } from '../context.js';
import { AlreadyReported, UsageError } from '../errors.js';

interface ExploreFlags {
  scope?: string;
  devices?: string;
  drivers?: string;
  depth?: string;
  time?: string;
  mutant?: string;
  trace?: string;
  emitShell?: boolean;
  dot?: boolean;
  mermaid?: boolean;
  list?: boolean;
}

/** `udax explore`: Ctrl-C ends the search and prints the results so far. */
export async function explore(context: Context, _args: string[], flags: ExploreFlags): Promise<void> {
  const signal = context.interruptible();
  const { exitCode, output } = await run({
    ...optionsOf(flags),
    json: context.json,
    signal,
    ...progressTo(context),
  });
  context.output.print(output);
  if (exitCode !== 0) throw new AlreadyReported(exitCode);
}

async function run(options: ExploreOptions) {
  try {
    return await exploreLater(options);
  } catch (error) {
    // The errors are about names and numbers of the command line.
    if (error instanceof Error && hasCode(error, 'EINVAL')) throw new UsageError(error.message);
    throw error;
  }
}

function optionsOf({ drivers, devices, depth, time, dot, mermaid, ...same }: ExploreFlags): ExploreOptions {
  if (dot && mermaid) throw new UsageError('--dot and --mermaid exclude each other');
  return {
    ...same,
    ...(devices !== undefined && { devices: integerArgument(devices, '--devices N', 1, 8) }),
    ...(depth !== undefined && { depth: integerArgument(depth, '--depth N', 1) }),
    ...(time !== undefined && { time: integerArgument(time, '--time SECONDS', 1) }),
    ...(drivers !== undefined && { drivers: drivers.split(',').filter((name) => name !== '') }),
    ...((dot || mermaid) && { graph: dot ? ('dot' as const) : ('mermaid' as const) }),
  };
}

/** Prints one line for each depth when stderr is a terminal. */
function progressTo(context: Context): Pick<ExploreOptions, 'onProgress'> {
  if (!process.stderr.isTTY) return {};
  return {
    onProgress: ({ depth, states, milliseconds }) =>
      context.output.note(`depth ${depth}: ${states} states, ${(milliseconds / 1000).toFixed(1)} s`),
  };
}

/** `udax replay`: Ctrl-C ends it and prints the results so far. */
export async function replay(context: Context, args: string[]): Promise<void> {
  const signal = context.interruptible();
  const { exitCode, output } = await replayLater(args, { json: context.json, signal });
  context.output.print(output);
  if (exitCode !== 0) throw new AlreadyReported(exitCode);
}
