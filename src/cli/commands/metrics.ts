import { once } from 'node:events';
import { logFormatArgument } from '../arguments/log-format.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { collect } from '../metrics/collect.js';
import { listenArgument, listenForMetrics } from '../metrics/serve.js';

interface MetricsFlags {
  arena?: string[];
  listen?: string;
  logFormat?: string;
}

/** `udax metrics` */
export async function metrics(
  context: Context,
  devices: string[],
  { arena = [], listen, logFormat }: MetricsFlags,
): Promise<void> {
  if (context.json) throw new UsageError('metrics prints OpenMetrics text: leave --json out');
  logFormatArgument(logFormat);
  const look = async () => (await collect(context, { devices, arenas: arena })).text();
  if (listen === undefined) {
    context.output.print((await look()).trimEnd());
    return;
  }
  const at = listenArgument(listen);
  const ended = once(context.interruptible(), 'abort'); // Ctrl-C may come before it listens
  const server = await listenForMetrics(at, look);
  context.output.note(`udax: metrics at ${server.address} (Ctrl-C ends it)`);
  await Promise.race([ended, server.failure]);
  server.close();
}
