import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { terminalWidth } from '../output/table.js';
import { COLOURED, PLAIN, render } from '../top/render.js';
import { Screen } from '../top/screen.js';
import { type Snapshot, snapshot } from '../top/snapshot.js';

interface TopFlags {
  once?: boolean;
  interval?: string;
}

/** `udax top` */
export async function top(
  context: Context,
  _args: string[],
  { once, interval = '1' }: TopFlags,
): Promise<void> {
  const seconds = /^\d+(\.\d+)?$/.test(interval) ? Number(interval) : Number.NaN;
  if (!(seconds >= 0.1)) throw new UsageError(`--interval takes seconds from 0.1 on, not ${interval}`);
  if (once || context.json || !process.stdout.isTTY) {
    const seen = await snapshot(context);
    context.show(seen, () => render(seen, undefined, terminalWidth(), PLAIN).join('\n'));
    return;
  }
  await watch(quiet(context), seconds * 1000);
}

/** Redraws until `q`, Ctrl-C or a signal. */
async function watch(context: Context, milliseconds: number): Promise<void> {
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, context.interruptible()]);
  const isPlain = Boolean(process.env.NO_COLOR) || process.env.TERM === 'dumb';
  const screen = new Screen(process.stdout, process.stdin, () => ended.abort());
  screen.open();
  try {
    let before: Snapshot | undefined;
    while (!signal.aborted) {
      const now = await snapshot(context);
      screen.draw(render(now, before, screen.width, isPlain ? PLAIN : COLOURED));
      before = now;
      await screen.pause(milliseconds, signal);
    }
  } finally {
    screen.close();
  }
}

/** Notes would be written across the screen; what they say of a volume is in its row. */
function quiet(context: Context): Context {
  return { ...context, output: { ...context.output, note: () => {} } };
}
