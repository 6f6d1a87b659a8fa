/** Between two columns. */
const GAP = '  ';

/** A column: its heading, and whether its cells are numbers (aligned right). */
export interface Column {
  heading: string;
  right?: boolean;
}

/** A narrower terminal is taken for one of this width. */
const LEAST_WIDTH = 24;

/** Columns of the terminal: $COLUMNS, else what stdout tells; Infinity when stdout is no terminal, so that programs read whole lines. */
export function terminalWidth(): number {
  const said = Number(process.env.COLUMNS);
  const width = Number.isSafeInteger(said) && said > 0 ? said : process.stdout.columns;
  return width === undefined ? Number.POSITIVE_INFINITY : Math.max(LEAST_WIDTH, width);
}

/**
 * Formats aligned text: the headings, then one line for each row, two blanks between columns, no trailing blanks. Cells may
 * contain any text. Control characters are escaped so that a file name cannot control the terminal. A table that is too wide becomes
 * a block of lines for each row, each with a heading and its cell.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly (string | number)[])[],
  width = terminalWidth(),
): string {
  const cells = rows.map((row) => columns.map((_, index) => printable(String(row[index] ?? ''))));
  const widths = columns.map((column, index) =>
    cells.reduce((width, row) => Math.max(width, displayWidth(row[index]!)), displayWidth(column.heading)),
  );
  if (widths.reduce((sum, own) => sum + own + GAP.length, -GAP.length) > width)
    return blocks(columns, cells, width);
  const lines = [columns.map((column) => column.heading), ...cells].map((row) =>
    row
      .map((cell, index) => pad(cell, widths[index]!, columns[index]!.right ?? false))
      .join(GAP)
      .trimEnd(),
  );
  return lines.join('\n');
}

function blocks(columns: readonly Column[], cells: readonly (readonly string[])[], width: number): string {
  if (cells.length === 0) return wrapped(columns.map(({ heading }) => heading).join(' '), width).join('\n');
  return cells
    .map((row) =>
      pairLines(
        columns.map(({ heading }, index) => [heading, row[index]!] as const),
        '',
        width,
      ),
    )
    .join('\n\n');
}

/** Formats `name  value` lines with the values in one column. A value that is too long goes on below itself. */
export function formatPairs(
  pairs: readonly (readonly [string, string | number])[],
  indent = '',
  width = terminalWidth(),
): string {
  return pairLines(
    pairs.map(([name, value]) => [name, printable(String(value))] as const),
    indent,
    width,
  );
}

function pairLines(pairs: readonly (readonly [string, string])[], indent: string, width: number): string {
  const widest = pairs.reduce((most, [name]) => Math.max(most, displayWidth(name)), 0);
  const room = width - indent.length - widest - GAP.length;
  return pairs
    .flatMap(([name, value]) => {
      // Names that leave too little room have their values below them.
      if (room < LEAST_WIDTH / 2)
        return [
          indent + name,
          ...wrapped(value, width - indent.length - GAP.length).map((line) => indent + GAP + line),
        ];
      return wrapped(value, room).map(
        (line, index) => indent + pad(index === 0 ? name : '', widest, false) + GAP + line,
      );
    })
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Breaks a line at blanks, and within words that are too long for a line. At least one line, of at most `width` columns each. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line: string[] = [];
  for (const character of text) {
    if (line.length === width) {
      const blank = character === ' ' ? line.length : line.lastIndexOf(' ');
      lines.push(line.slice(0, blank > 0 ? blank : width).join(''));
      line = blank > 0 ? line.slice(blank + 1) : [];
      if (character === ' ' && line.length === 0) continue;
    }
    line.push(character);
  }
  return [...lines, line.join('')];
}

/** Escapes text of several lines, so that names on a foreign volume cannot control the user's terminal. */
export function terminalSafe(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** Shows control characters as `\xNN`, and characters that reorder or hide the text around them as `\uNNNN`. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are to be made visible
  const controls = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return visible(controls);
}

/** JSON text of a value, with everything escaped that could control a terminal. It stays valid JSON. */
export function jsonText(value: unknown, indent = 0): string {
  const text = JSON.stringify(value, null, indent);
  return visible(text).replace(/[\u007f-\u009f]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/**
 * Escapes bidirectional controls, zero-width characters and line separators: with them one name can look like another. The result
 * is also valid within JSON text.
 */
export function visible(text: string): string {
  return text.replace(/[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function pad(text: string, width: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return right ? blanks + text : text + blanks;
}

// Counts code points, not UTF-16 units, as columns: close enough for names on a volume.
function displayWidth(text: string): number {
  return [...text].length;
}
