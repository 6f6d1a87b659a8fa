/** A column: its heading, and whether its cells are numbers (aligned right). */
export interface Column {
  heading: string;
  right?: boolean;
}

/**
 * Formats aligned text: the headings, then one line for each row, two blanks between columns, no trailing blanks. Cells may
 * contain any text. Control characters are escaped so that a file name cannot control the terminal.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = rows.map((row) => columns.map((_, index) => printable(String(row[index] ?? ''))));
  const widths = columns.map((column, index) =>
    cells.reduce((width, row) => Math.max(width, displayWidth(row[index]!)), displayWidth(column.heading)),
  );
  const lines = [columns.map((column) => column.heading), ...cells].map((row) =>
    row
      .map((cell, index) => pad(cell, widths[index]!, columns[index]!.right ?? false))
      .join('  ')
      .trimEnd(),
  );
  return lines.join('\n');
}

/** Formats `name  value` lines with the values in one column. */
export function formatPairs(pairs: readonly (readonly [string, string | number])[], indent = ''): string {
  const width = pairs.reduce((widest, [name]) => Math.max(widest, name.length), 0);
  return pairs
    .map(([name, value]) => `${indent}${name.padEnd(width)}  ${printable(String(value))}`.trimEnd())
    .join('\n');
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
