import { openMachine } from '../../machine/index.js';
import { runInNamespace } from '../../mounts/serving.js';
import type { Context } from '../context.js';
import { AlreadyReported } from '../errors.js';

/** `udax shell` */
export async function shell(context: Context, command: string[]): Promise<void> {
  openMachine(context.root).close(); // none, and wrong ones, are told here
  const words = command.length > 0 ? command : [process.env.SHELL ?? '/bin/sh'];
  const status = await runInNamespace(words, {
    root: context.root,
    onReport: (error) => context.output.note(`udax: ${error.message}`),
  });
  if (status !== 0) throw new AlreadyReported(status);
}
