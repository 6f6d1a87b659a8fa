import type { Context } from '../context.js';

/** A command's body: throws on failure, may be asynchronous. Options are as the catalog's flags spell them. */
export type Run = (context: Context, args: string[], options: never) => void | Promise<void>;

export type CommandGroup = 'Regions and devices:' | 'The machine:' | 'File systems:' | 'Files:' | 'Tools:';

/** What the command line knows of a command before its code is loaded. */
export interface CommandSpec {
  name: string;
  group: CommandGroup;
  /** One line for the overview. */
  summary: string;
  /** Positional arguments as commander writes them (`<device>`, `[device]`, `<sources...>`), each with its meaning. */
  arguments?: readonly (readonly [string, string])[];
  /** Flags as commander writes them, with their meaning. */
  options?: readonly (readonly [string, string])[];
  /** One paragraph. */
  explanation: string;
  /** Why it is refused on the kernel's bus (EOPNOTSUPP), and what does it there. */
  notOnKernel?: string;
  examples: readonly string[];
  /** Imports the code: only the command that runs is loaded. */
  load: () => Promise<Run>;
}

/** What a parsed command line asks for. */
export interface Invocation {
  spec: CommandSpec;
  args: string[];
  options: Record<string, unknown>;
}
