import { deviceCommands } from './devices.js';
import { fileCommands } from './files.js';
import { hostCommands } from './host.js';
import { machineCommands } from './machine.js';
import { mediaCommands } from './media.js';
import { mountCommands } from './mounts.js';
import type { CommandSpec } from './spec.js';
import { toolCommands } from './tools.js';

export type { CommandGroup, CommandSpec, Invocation, Run } from './spec.js';

/** All commands, in the order of the overview. */
export const catalog: readonly CommandSpec[] = [
  ...deviceCommands,
  ...machineCommands,
  ...mediaCommands,
  ...mountCommands.filter(({ group }) => group !== 'Tools:'),
  ...fileCommands,
  ...toolCommands,
  ...mountCommands.filter(({ group }) => group === 'Tools:'),
  ...hostCommands(() => catalog),
];
