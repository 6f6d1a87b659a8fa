import type { CommandSpec } from '../catalog/spec.js';
import { type Flag, flagOf, globalFlags, wordsOf } from './flags.js';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** The script that teaches a shell the commands, their options, and the names of the machine's devices. */
export function completionScript(shell: Shell, catalog: readonly CommandSpec[]): string {
  if (shell === 'bash') return bash(catalog);
  return shell === 'zsh' ? zsh(catalog) : fish(catalog);
}

/** A line of the shell that prints the device names of the machine. It reads the document: starting udax would take too long. */
const DEVICES = `grep -o '"dax[0-9][0-9]*[.][0-9][0-9]*"' "\${UDAX_ROOT:-\${XDG_STATE_HOME:-$HOME/.local/state}/udax}/machine.json" 2>/dev/null | tr -d '"' | sort -u`;

const global = globalFlags.map(flagOf);
const flagsOf = (spec: CommandSpec): Flag[] => (spec.options ?? []).map(flagOf);
const all = (flags: readonly Flag[]): string => flags.flatMap(wordsOf).join(' ');

/** Whether its first argument is a device or a file on one. */
function takesDevice({ arguments: list = [] }: CommandSpec): boolean {
  return list.some(([name]) => /device|file|path|source|directory|queue/i.test(name));
}

function bash(catalog: readonly CommandSpec[]): string {
  const cases = catalog.map(
    (spec) => `    ${spec.name}) words="${all(flagsOf(spec))}"; devices=${takesDevice(spec) ? 1 : ''} ;;`,
  );
  const withValue = [...global, ...catalog.flatMap(flagsOf)].filter(
    ({ value, isOptional }) => value !== null && !isOptional,
  );
  return `# bash completion for udax: eval "$(udax completion bash)"
_udax() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}" command='' words='' devices='' at
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in
    --root | --role) ((at++)) ;;
    -*) ;;
    *) command="\${COMP_WORDS[at]}"; break ;;
    esac
  done
  case "$before" in
  --role) COMPREPLY=($(compgen -W 'master client' -- "$word")); return ;;
  ${[...new Set(withValue.flatMap(wordsOf))].filter((flag) => flag !== '--role').join(' | ')})
    COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  case "$command" in
    '') words='${catalog.map(({ name }) => name).join(' ')} help' ;;
    help) COMPREPLY=($(compgen -W '${catalog.map(({ name }) => name).join(' ')}' -- "$word")); return ;;
${cases.join('\n')}
  esac
  if [[ "$word" == -* ]]; then
    COMPREPLY=($(compgen -W "$words ${all(global)} --help" -- "$word"))
  elif [[ -z "$command" ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
    [[ -n "$devices" ]] && COMPREPLY+=($(compgen -W "$(${DEVICES})" -- "$word"))
  fi
}
complete -o filenames -o bashdefault -F _udax udax
`;
}

function zsh(catalog: readonly CommandSpec[]): string {
  const single = (text: string) => text.replaceAll("'", "'\\''");
  const bracketed = (text: string) => single(text).replace(/[[\]:]/g, '\\$&');
  const spec = (flag: Flag) => {
    const [first, ...others] = wordsOf(flag);
    const names = others.length === 0 ? first! : `{${[first, ...others].join(',')}}`;
    const exclusive = others.length === 0 ? '' : `(${[first, ...others].join(' ')})`;
    const value = flag.value === null ? '' : `${flag.isOptional ? '::' : ':'}${bracketed(flag.value)}:_files`;
    const body = `[${bracketed(flag.meaning)}]${value}`;
    return others.length === 0 ? `'${names}${body}'` : `'${exclusive}'${names}'${body}'`;
  };
  const cases = catalog.map((command) => {
    const rest = takesDevice(command) ? "'*: :_udax_places'" : "'*: :_files'";
    return `      ${command.name}) _arguments -s ${[...flagsOf(command), ...global].map(spec).join(' ')} ${rest} ;;`;
  });
  return `#compdef udax
# zsh completion for udax: udax completion zsh > "\${fpath[1]}/_udax"
_udax_places() {
  local -a devices=(\${(f)"$(${DEVICES})"})
  _alternative 'devices:device:compadd -a devices' 'files:file:_files'
}
_udax() {
  local context state line
  local -a commands=(
${catalog.map(({ name, summary }) => `    '${name}:${single(summary)}'`).join('\n')}
    'help:explain a command'
  )
  _arguments -C ${global.map(spec).join(' ')} '1: :->command' '*:: :->rest'
  case $state in
  command) _describe command commands ;;
  rest)
    case $line[1] in
      help) _describe command commands ;;
${cases.join('\n')}
    esac ;;
  esac
}
compdef _udax udax
`;
}

function fish(catalog: readonly CommandSpec[]): string {
  const single = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const flag = (condition: string, { short, long, value, isOptional, meaning }: Flag) =>
    [
      `complete -c udax ${condition}`,
      ...(short === null ? [] : [`-s ${short}`]),
      ...(long === null ? [] : [`-l ${long}`]),
      ...(value === null || isOptional ? [] : ['-r']),
      `-d ${single(meaning)}`,
    ].join(' ');
  const lines = catalog.flatMap((spec) => [
    `complete -c udax -f -n __fish_use_subcommand -a ${spec.name} -d ${single(spec.summary)}`,
    ...flagsOf(spec).map((one) => flag(`-n '__fish_seen_subcommand_from ${spec.name}'`, one)),
    ...(takesDevice(spec)
      ? [`complete -c udax -n '__fish_seen_subcommand_from ${spec.name}' -a '(__udax_devices)' -d device`]
      : []),
  ]);
  return `# fish completion for udax: udax completion fish > ~/.config/fish/completions/udax.fish
function __udax_devices
  set -l root $UDAX_ROOT
  test -n "$root"; or set root (test -n "$XDG_STATE_HOME"; and echo $XDG_STATE_HOME; or echo $HOME/.local/state)/udax
  string match -ar '"dax\\d+\\.\\d+"' <$root/machine.json 2>/dev/null | string trim -c '"' | sort -u
end
complete -c udax -f -n __fish_use_subcommand -a help -d 'explain a command'
${global.map((one) => flag('', one)).join('\n')}
${lines.join('\n')}
`;
}
