import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { collect } from '../metrics/collect.js';
import { listenArgument, serveMetrics } from '../metrics/serve.js';

interface MetricsFlags {
  arena?: string[];
  listen?: string;
}

/** `udax metrics` */
export async function metrics(
  context: Context,
  devices: string[],
  { arena = [], listen }: MetricsFlags,
): Promise<void> {
  if (context.json) throw new UsageError('metrics prints OpenMetrics text: leave --json out');
  const look = () => collect(context, { devices, arenas: arena });
  if (listen === undefined) {
    context.output.print((await look()).trimEnd());
    return;
  }
  const at = listenArgument(listen);
  const signal = context.interruptible();
  await serveMetrics(at, look, signal, (address) =>
    context.output.note(`udax: metrics at ${address} (Ctrl-C ends it)`),
  );
}
