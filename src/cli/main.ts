import { CommanderError } from 'commander';
import { asDaxError, fail } from '../libc/index.js';
import { logFormatOf } from './arguments/log-format.js';
import { catalog, type Invocation } from './catalog/index.js';
import { type Context, createContext, type GivenMachine } from './context.js';
import { describeError, type ErrorFormat, exitStatus, statusOf, UsageError } from './errors.js';
import { logWarnings } from './output/log.js';
import { buildProgram, usageMessage } from './program.js';

/** Runs one command line and sets the process's exit status. `argv` is as process.argv. Never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  // A closed pipe (`udax cat f | head`) is no error: the reader wants no more output.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitStatus.done);
    // All output passes here, so a full disk gives one line and exit status 1, whatever the command does.
    process.stderr.write(describeError(asDaxError(error, 'writing to stdout'), '', formatOf(argv)));
    process.exit(exitStatus.failed);
  });
  // When nobody reads the notes any more, the command must go on serving (`udax mount -f ... 2>&1 | head`).
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exitCode ||= exitStatus.failed;
  });
  let command = '';
  let given: GivenMachine = {};
  if (logFormatOf(argv) === 'json') logWarnings();
  try {
    let invocation: Invocation | undefined;
    const program = buildProgram(catalog, (asked) => {
      invocation = asked;
    });
    command = nameIn(argv);
    program.parse(asTyped(argv));
    if (invocation === undefined) return;
    command = invocation.spec.name;
    given = program.opts();
    await run(invocation, createContext(given, logFormatOf(argv)));
  } catch (error) {
    process.exitCode = report(error, command, formatOf(argv), given);
  }
}

async function run(invocation: Invocation, context: Context): Promise<void> {
  const { name, notOnKernel } = invocation.spec;
  if (context.kernel && notOnKernel) {
    fail('EOPNOTSUPP', `${name} is not for the kernel's bus: ${notOnKernel}`);
  }
  if (context.setMode) {
    const { runWithModes } = await import('./set-mode.js');
    if (await runWithModes(context, invocation)) return;
  }
  const body = await invocation.spec.load();
  await body(context, invocation.args, invocation.options as never);
}

/** `help --man` is `man`: commander's help command takes no options. Words of other commands, of `run -- CMD` above all, stay as they are. */
function asTyped(argv: readonly string[]): string[] {
  const at = argv.findIndex(
    (word, index) => index > 1 && (word === 'help' || catalog.some(({ name }) => name === word)),
  );
  if (argv[at] !== 'help' || !argv.includes('--man', at)) return [...argv];
  return argv.with(at, 'man').filter((word) => word !== '--man');
}

function report(error: unknown, command: string, format: ErrorFormat, given: GivenMachine): number {
  if (!(error instanceof CommanderError)) {
    process.stderr.write(describeError(error, command, format, given));
    return statusOf(error);
  }
  // commander has printed requested help or the version. When no command was given, it printed help to stderr.
  if (error.exitCode === 0) return exitStatus.done;
  if (error.code === 'commander.help') return exitStatus.usage;
  const usage = new UsageError(usageMessage(error, catalog, command));
  process.stderr.write(describeError(usage, command, format));
  return exitStatus.usage;
}

/** Errors are documents too with --json, and lines of a JSON log, also when the command line cannot be parsed. */
function formatOf(argv: readonly string[]): ErrorFormat {
  const words = argv.slice(2);
  const end = words.indexOf('--');
  if ((end < 0 ? words : words.slice(0, end)).includes('--json')) return 'document';
  return logFormatOf(words) === 'json' ? 'log line' : 'text';
}

/** Finds the command that an unparsable line probably meant, to point at its help. */
function nameIn(argv: readonly string[]): string {
  return argv.slice(2).find((word) => catalog.some((spec) => spec.name === word)) ?? '';
}
