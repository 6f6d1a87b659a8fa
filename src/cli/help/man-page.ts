import type { CommandSpec } from '../catalog/spec.js';
import { flagOf, globalFlags, wordsOf } from './flags.js';

/** What a page says beside what the catalog knows. */
export interface ManPageFacts {
  version: string;
  /** The text above the commands. */
  overview: string;
  /** The manual's date, `2026-11-29`. */
  date: string;
}

/** The manual page of all commands, udax(1), in the man macros of roff. */
export function manPage(catalog: readonly CommandSpec[], facts: ManPageFacts): string {
  return page('udax', facts, [
    section('NAME', text('udax - one memory with real files in it, for many processes')),
    section(
      'SYNOPSIS',
      synopsis('udax', '[--root DIR | --kernel] [--set-mode] [--json] [--role ROLE] COMMAND ...'),
    ),
    section('DESCRIPTION', text(facts.overview)),
    section('GLOBAL OPTIONS', options(globalFlags)),
    ...groupsOf(catalog).map(([group, specs]) =>
      section(group.replace(/:$/, '').toUpperCase(), specs.map(commandBlock).join('\n')),
    ),
    section(
      'ENVIRONMENT',
      [
        item('UDAX_ROOT', 'the state directory, where --root is not given'),
        item('UDAX_SYSTEM_UUID', "this host's identity for famfs"),
        item('UDAX_DEBUG', 'errors with their stack'),
      ].join('\n'),
    ),
    section('EXIT STATUS', text('0 done, 1 failed, 2 wrong usage, 130 interrupted.')),
    section('SEE ALSO', text('daxctl(1), ndctl(1), mount(8), fuse(4)')),
  ]);
}

/** The page of one command, udax-NAME(1). */
export function commandPage(spec: CommandSpec, facts: ManPageFacts): string {
  const name = `udax-${spec.name}`;
  return page(name, facts, [
    section('NAME', text(`${name} - ${spec.summary}`)),
    section('SYNOPSIS', synopsis(`udax ${spec.name}`, argumentsOf(spec))),
    section('DESCRIPTION', text(spec.explanation)),
    ...(spec.arguments?.length ? [section('ARGUMENTS', options(spec.arguments))] : []),
    ...(spec.options?.length ? [section('OPTIONS', options(spec.options))] : []),
    section('GLOBAL OPTIONS', options(globalFlags)),
    section('EXAMPLES', examples(spec)),
    ...(spec.notOnKernel ? [section("ON THE KERNEL'S BUS", text(`Not there: ${spec.notOnKernel}.`))] : []),
    section('SEE ALSO', text('udax(1)')),
  ]);
}

function page(name: string, { version, date }: ManPageFacts, sections: readonly string[]): string {
  const head = `.TH "${name.toUpperCase()}" "1" "${date}" "udax ${version}" "User Commands"`;
  return `${[head, '.nh', '.ad l', ...sections].join('\n')}\n`;
}

function section(title: string, body: string): string {
  return `.SH ${quoted(title)}\n${body}`;
}

function synopsis(command: string, rest: string): string {
  return `.B ${escaped(command)}\n${escaped(rest)}`;
}

function argumentsOf({ arguments: list = [], options: flags = [] }: CommandSpec): string {
  const words = list.map(([name]) =>
    name.startsWith('[') ? name : name.replace(/^<|>$/g, '').toUpperCase(),
  );
  return [...(flags.length > 0 ? ['[options]'] : []), ...words].join(' ');
}

function commandBlock(spec: CommandSpec): string {
  const flags = (spec.options ?? []).map((flag) => indented(item(flag[0], flag[1]))).join('\n');
  return [
    `.SS ${quoted([spec.name, argumentsOf(spec)].filter(Boolean).join(' '))}`,
    text(spec.explanation),
    ...(flags === '' ? [] : [flags]),
    examples(spec),
  ].join('\n');
}

function indented(body: string): string {
  return `.RS\n${body}\n.RE`;
}

function examples({ examples: list }: CommandSpec): string {
  return ['.PP', '.RS', '.nf', ...list.map(escaped), '.fi', '.RE'].join('\n');
}

function options(list: readonly (readonly [string, string])[]): string {
  return list.map(([name, meaning]) => item(name, meaning)).join('\n');
}

/** A term, in bold what is typed, and its meaning. */
function item(term: string, meaning: string): string {
  const flag = flagOf([term, meaning]);
  const words = wordsOf(flag);
  if (words.length === 0) return `.TP\n.B ${escaped(term)}\n${escaped(meaning)}`;
  const value = flag.value === null ? '' : flag.isOptional ? ` [${flag.value}]` : ` ${flag.value}`;
  return `.TP\n${words.map((word) => `\\fB${escaped(word)}\\fR`).join(', ')}${escaped(value)}\n${escaped(meaning)}`;
}

function text(body: string): string {
  return escaped(body);
}

function quoted(title: string): string {
  return `"${escaped(title).replaceAll('"', '\\(dq')}"`;
}

/** Text in which roff sees no command: backslashes, hyphens as they are typed, and no dot or quote at the start of a line. */
function escaped(body: string): string {
  return body
    .split('\n')
    .map((line) =>
      line
        .replaceAll('\\', '\\e')
        .replaceAll('-', '\\-')
        .replace(/^([.'])/, '\\&$1'),
    )
    .join('\n');
}

/** The commands by their groups, in the order of the overview. */
function groupsOf(catalog: readonly CommandSpec[]): [string, CommandSpec[]][] {
  const groups = new Map<string, CommandSpec[]>();
  for (const spec of catalog) groups.set(spec.group, [...(groups.get(spec.group) ?? []), spec]);
  return [...groups];
}
