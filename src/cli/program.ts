import { Command, type CommanderError, Option } from 'commander';
import type { CommandSpec, Invocation } from './catalog/spec.js';
import { globalFlags } from './help/flags.js';
import { packageFacts } from './package-facts.js';

/** What udax is, for its help and its manual. */
export const overview = `udax gives several processes one memory with real files in it: a dax bus, its drivers and the famfs
file system, in user space. A DEVICE is a name (dax0.0), a device node (/dev/dax0.0) or an image file;
a FILE on its volume is DEVICE:/path. Sizes: 4096, 2M, 1GiB, 0x200000.`;

const overviewExamples = `
Examples:
  udax up --once                             from nothing to a checked volume, explained
  udax create-region -s 1GiB && udax reconfigure-device -m famfs dax0.0 && udax mkfs dax0.0
  udax cp -r ./models dax0.0:/ && udax ls -lR dax0.0:/

  udax --kernel list && udax mkfs /dev/dax0.0            real devices (docs/hardware.md)

The machine lives in a directory: --root, else $UDAX_ROOT, else \${XDG_STATE_HOME:-~/.local/state}/udax.
--kernel (or a root 'kernel:') is the kernel's bus; /dev/dax0.0 is its device with and without it.
Exit status: 0 done, 1 failed, 2 wrong usage. 'udax help COMMAND' explains a command.
`;

/**
 * Builds the whole command line from the catalog. `invoke` gets the parsed command; no command's code is loaded here. Errors of
 * the command line are thrown as CommanderError, unprinted.
 */
export function buildProgram(
  catalog: readonly CommandSpec[],
  invoke: (invocation: Invocation) => void,
): Command {
  const program = new Command('udax')
    .usage('[--root DIR | --kernel] [--set-mode] [--json] [--role ROLE] COMMAND ...')
    .description(overview)
    .commandsGroup('Tools:')
    .addOption(globalOption('--root'))
    .addOption(globalOption('--kernel'))
    .addOption(globalOption('--set-mode'))
    .addOption(globalOption('--json'))
    .addOption(globalOption('--role').choices(['master', 'client']))
    .version(packageFacts().version, '--version', 'print the version')
    .helpOption('-h, --help', 'explain')
    .helpCommand('help [command]', 'explain a command (--man: as a manual page)')
    .configureHelp({ showGlobalOptions: true, helpWidth: 110 })
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', overviewExamples);
  for (const spec of catalog) program.addCommand(commandOf(spec, invoke).copyInheritedSettings(program));
  return program;
}

function commandOf(spec: CommandSpec, invoke: (invocation: Invocation) => void): Command {
  const command = new Command(spec.name)
    .helpGroup(spec.group)
    .summary(spec.summary)
    .description(spec.explanation)
    .addHelpText('after', `\nExamples:\n${spec.examples.map((example) => `  ${example}`).join('\n')}\n`);
  for (const [name, meaning] of spec.arguments ?? []) command.argument(name, meaning);
  for (const [flags, meaning] of spec.options ?? []) command.option(flags, meaning);
  return command.action(() => {
    invoke({
      spec,
      args: command.processedArgs.flat().filter((arg) => arg !== undefined),
      options: command.opts(),
    });
  });
}

/** The message for a command line error, with what to do about it. */
export function usageMessage(
  error: CommanderError,
  catalog: readonly CommandSpec[],
  command: string,
): string {
  const sentence = error.message
    .replace(/^error: /, '')
    .replace('(Did', '- did')
    .replace(/\?\)$/, '?');
  const lines = [sentence.split('\n').join(' ')];
  if (error.code === 'commander.unknownCommand') {
    lines.push(`The commands are: ${catalog.map((spec) => spec.name).join(', ')}.`);
  }
  lines.push(`Try: udax ${command === '' ? '--help' : `${command} --help`}`);
  return lines.join('\n');
}

function globalOption(long: string): Option {
  const [flags, meaning] = globalFlags.find(([notation]) => notation.split(' ')[0] === long)!;
  return new Option(flags, meaning);
}
