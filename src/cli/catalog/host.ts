import type { CommandSpec } from './spec.js';

const group = 'Tools:';
const help = () => import('../commands/help.js');

/** Commands that fit udax into its host: its shells and its manual. @param all all commands, these included */
export const hostCommands = (all: () => readonly CommandSpec[]): readonly CommandSpec[] => [
  {
    name: 'completion',
    group,
    summary: 'the completion of commands, options and devices for a shell',
    arguments: [['<shell>', 'bash, zsh or fish']],
    explanation:
      'Prints a script that teaches the shell every command and option of this version, and the devices of the machine. It does not start udax ' +
      'while you type. bash: eval "$(udax completion bash)" in ~/.bashrc. zsh: into a file _udax in a directory of $fpath. fish: into ' +
      '~/.config/fish/completions/udax.fish.',
    examples: ['udax completion bash', 'udax completion zsh', 'udax completion fish'],
    load: async () => (await help()).completionOf(all()),
  },
  {
    name: 'man',
    group,
    summary: 'the manual page of udax, or of one command (also: help --man)',
    arguments: [['[command]', 'cp, mount ...; none: the page of all commands']],
    explanation:
      'Prints a manual page for man(1). `npm install -g` installs the page of all commands, so that `man udax` shows it.',
    examples: ['udax man | man -l -', 'udax man mount | man -l -'],
    load: async () => (await help()).manOf(all()),
  },
];
