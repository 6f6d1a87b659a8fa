import { replayLater } from '../../lab/replay/index.js';
import type { Context } from '../context.js';
import { AlreadyReported } from '../errors.js';

/** `udax replay`: Ctrl-C ends it and prints what it has found so far. */
export async function replay(context: Context, args: string[]): Promise<void> {
  const signal = context.interruptible();
  const { exitCode, output } = await replayLater(args, { json: context.json, signal });
  context.output.print(output);
  if (exitCode !== 0) throw new AlreadyReported(exitCode);
}
