import { once } from 'node:events';
import { startInspector } from '../../inspector/index.js';
import { integerArgument } from '../arguments/numbers.js';
import type { Context } from '../context.js';
import { sourcesOf } from '../inspecting.js';
import { openEither } from '../opening.js';

interface InspectFlags {
  port?: string;
  readOnly?: boolean;
}

/** `udax inspect` */
export async function inspect(context: Context, _args: string[], flags: InspectFlags): Promise<void> {
  const port = flags.port === undefined ? 0 : integerArgument(flags.port, '--port N', 1, 65_535);
  const signal = context.interruptible();
  const machine = openEither(context);
  try {
    const inspector = await startInspector(machine, {
      port,
      readOnly: flags.readOnly ?? false,
      ...sourcesOf(context),
    });
    try {
      const { url } = inspector;
      context.show({ url, port: inspector.port, pid: process.pid, root: machine.root }, () => url);
      context.output.note('Ctrl-C ends it');
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      await inspector.close();
    }
  } finally {
    machine.close();
  }
}
