import { replayCommand } from '../../lab/replay/index.js';
import type { Context } from '../context.js';
import { AlreadyReported } from '../errors.js';

/** `udax replay` */
export function replay(context: Context, args: string[]): void {
  const { exitCode, output } = replayCommand(args, { json: context.json });
  context.output.print(output);
  if (exitCode !== 0) throw new AlreadyReported(exitCode);
}
