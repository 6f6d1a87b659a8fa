import type { Context } from '../context.js';

/**
 * The code of a command. It throws on failure and may be asynchronous. Options have the names that the catalog's flags give them.
 */
export type Run = (context: Context, args: string[], options: never) => void | Promise<void>;

export type CommandGroup = 'Regions and devices:' | 'The machine:' | 'File systems:' | 'Files:' | 'Tools:';

/** What is known about a command before its code is loaded. */
export interface CommandSpec {
  name: string;
  group: CommandGroup;
  /** One line for the overview. */
  summary: string;
  /** Positional arguments in commander's notation (`<device>`, `[device]`, `<sources...>`), each with its meaning. */
  arguments?: readonly (readonly [string, string])[];
  /** Flags in commander's notation, with their meaning. */
  options?: readonly (readonly [string, string])[];
  /** One paragraph. */
  explanation: string;
  /** Why the command is refused on the kernel's bus (EOPNOTSUPP), and what to use there. */
  notOnKernel?: string;
  examples: readonly string[];
  /** Imports the command's code, so that only the command that runs is loaded. */
  load: () => Promise<Run>;
}

/** What a parsed command line asks for. */
export interface Invocation {
  spec: CommandSpec;
  args: string[];
  options: Record<string, unknown>;
}
