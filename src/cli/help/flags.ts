/** A flag of a command, from commander's notation: `-m, --mode <MODE>`. */
export interface Flag {
  /** `m`; null: it has no short form. */
  short: string | null;
  /** `mode`; null: it has no long form. */
  long: string | null;
  /** The name of its value; null: it takes none. */
  value: string | null;
  /** The value may be left out (`[FILE]`). */
  isOptional: boolean;
  meaning: string;
}

/** Options that every command takes. */
export const globalFlags: readonly (readonly [string, string])[] = [
  ['--root <DIR>', 'state directory of the machine'],
  ['--kernel', 'the dax bus of the running kernel instead: dax0.0 is its device'],
  ['--set-mode', 'put the real devices of the command into devdax mode, and back when it ends'],
  ['--json', 'print one JSON document'],
  ['--role <ROLE>', 'of volumes: master writes, client only reads (default: what the owner uuid says)'],
];

export function flagOf([notation, meaning]: readonly [string, string]): Flag {
  const value = /[<[]([^>\]]+)[>\]]/.exec(notation);
  return {
    short: /(?:^|\s)-([A-Za-z])\b/.exec(notation)?.[1] ?? null,
    long: /--([a-z][a-z-]*)/.exec(notation)?.[1] ?? null,
    value: value?.[1] ?? null,
    isOptional: value !== null && notation[value.index] === '[',
    meaning,
  };
}

/** `-m` and `--mode`, as they are typed. */
export function wordsOf({ short, long }: Flag): string[] {
  return [...(short === null ? [] : [`-${short}`]), ...(long === null ? [] : [`--${long}`])];
}
