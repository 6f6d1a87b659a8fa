/** `exec` of daxctl: runs udax's verbs on the same machine. */

import { fail } from '../../../libc/index.js';
import {
  type Caller,
  type DaxctlVersion,
  daxctlHost,
  ROOT,
  runDaxctl,
  type VerbResult,
} from '../../../tree/index.js';
import { maskNd } from '../paths.js';
import type { StepResult } from '../transcript.js';
import type { OperationTable, World } from '../world.js';

const VERSIONS: Record<string, DaxctlVersion> = { daxctl76: 76, daxctl85: 85 };
/** The user that `su nobody` becomes. */
const NOBODY: Caller = { uid: 65534 };

export const execOperations: OperationTable = {
  exec(world, args) {
    const commands = daxctlCommands(args.list('argv'), world.caller(args));
    if (commands === null) return fail('ENOENT', `${args.list('argv')[0]} is not ours to run`);
    const results = commands.words.map((words) => run(world, words, commands.caller));
    return joined(results);
  },
};

export interface DaxctlCommands {
  /** Command lines, run one after the other. */
  words: string[][];
  caller: Caller;
}

/** The daxctl commands in an argv; null when it runs another program. */
export function daxctlCommands(argv: readonly string[], caller: Caller = ROOT): DaxctlCommands | null {
  const [program = '', user] = argv;
  if (Object.hasOwn(VERSIONS, program)) return { words: [[...argv]], caller };
  const asNobody = program === 'su' && user === 'nobody';
  if (!asNobody && !/^(\/bin\/)?sh$/.test(program)) return null;
  const script = argv[argv.indexOf('-c') + 1] ?? '';
  const words = script.split(';').map((command) => command.trim().split(/\s+/));
  if (!words.every(([first = '']) => Object.hasOwn(VERSIONS, first))) return null;
  return { words, caller: asNobody ? NOBODY : caller };
}

function run(world: World, [program = '', ...words]: string[], caller: Caller): VerbResult {
  const version = VERSIONS[program] ?? fail('ENOENT', `no ${program}`);
  const { modulesAvailable, platform } = world;
  return runDaxctl(
    daxctlHost(world.bus, { version, caller, modulesAvailable, place: platform.place }),
    words,
  );
}

/** The result of several commands in a shell: all their output, and the last one's exit code. */
function joined(results: VerbResult[]): StepResult {
  const exit = results.at(-1)?.exit ?? 0;
  return {
    ok: exit === 0,
    exit,
    stdout: maskNd(results.map((result) => result.stdout).join('')),
    stderr: results.map((result) => result.stderr).join(''),
  };
}
