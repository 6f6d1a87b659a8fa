/** Reads one scalar: plain, single-quoted or double-quoted. It may span several lines. */

/** The lines of a document and the reader's current line. */
export interface ScalarLines {
  readonly lines: string[];
  at: number;
  refuse(why: string, line?: number): never;
}

const NOT_PLAIN = /^[,[\]{}&*!|>'"%@`]|^[?:-](\s|$)/;
const LINE_BREAK = '\n';

/**
 * Reads the scalar that starts at `column` of the current line, and moves the reader to the line behind it. A plain scalar
 * continues on lines that are indented further than `indent`.
 */
export function scanScalar(source: ScalarLines, column: number, indent: number): string {
  const first = source.lines[source.at]!.slice(column);
  if (first[0] === "'" || first[0] === '"') return new QuotedScan(source, column).run();
  return scanPlain(source, first, indent);
}

function scanPlain(source: ScalarLines, first: string, indent: number): string {
  if (NOT_PLAIN.test(first)) source.refuse(`a plain value cannot start with ${first[0]}`);
  let text = withoutComment(first);
  if (/:(\s|$)/.test(text)) source.refuse('a plain value cannot hold ": "');
  source.at++;
  for (let breaks = 1; source.at < source.lines.length; source.at++) {
    const line = source.lines[source.at]!;
    if (line.trim() === '') {
      breaks++;
      continue;
    }
    if (line.length - line.trimStart().length <= indent || line.trimStart().startsWith('#')) break;
    const more = withoutComment(line.trimStart());
    if (/:(\s|$)/.test(more)) source.refuse('a plain value cannot hold ": "');
    text += folded(breaks) + more;
    breaks = 1;
  }
  return text;
}

function withoutComment(text: string): string {
  return text.replace(/\s#.*$/, '').trimEnd();
}

/** The text that consecutive line breaks fold to: one break is a blank, k + 1 breaks are k breaks. */
function folded(breaks: number): string {
  return breaks === 1 ? ' ' : LINE_BREAK.repeat(breaks - 1);
}

const escapes: Record<string, string> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  t: '\t',
  '\t': '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\x1b',
  ' ': ' ',
  '"': '"',
  '/': '/',
  '\\': '\\',
  N: '\u0085',
  _: '\u00a0',
  L: '\u2028',
  P: '\u2029',
};
const hexDigits: Record<string, number> = { x: 2, u: 4, U: 8 };

class QuotedScan {
  readonly #start: number;
  readonly #quote: string;
  #line: string;
  #text = '';
  /** The length of text that folding must not trim, because an escape or an earlier fold wrote it. */
  #kept = 0;
  readonly #source: ScalarLines;
  #column: number;

  constructor(source: ScalarLines, column: number) {
    this.#source = source;
    this.#column = column;
    this.#start = source.at;
    this.#line = source.lines[source.at]!;
    this.#quote = this.#line[column]!;
  }

  run(): string {
    this.#column++;
    for (;;) {
      const character = this.#line[this.#column];
      if (character === undefined) this.#foldLines();
      else if (character === '\\' && this.#quote === '"') this.#escape();
      else if (character !== this.#quote) this.#take(character);
      else if (this.#quote === "'" && this.#line[this.#column + 1] === "'") {
        this.#take("'");
        this.#column++;
      } else break;
    }
    if (!/^\s*(\s#.*)?$/.test(this.#line.slice(this.#column + 1))) {
      this.#source.refuse('something follows the closing quote');
    }
    this.#source.at++;
    return this.#text;
  }

  #take(character: string): void {
    this.#text += character;
    this.#column++;
  }

  #keep(text: string): void {
    this.#text += text;
    this.#kept = this.#text.length;
  }

  #foldLines(): void {
    this.#trimBlanks();
    const breaks = this.#nextContentLine();
    this.#keep(folded(breaks));
  }

  /** Removes blanks before a line break: they are no part of the text. */
  #trimBlanks(): void {
    let end = this.#text.length;
    while (end > this.#kept && (this.#text[end - 1] === ' ' || this.#text[end - 1] === '\t')) end--;
    this.#text = this.#text.slice(0, end);
  }

  /** Moves to the next line that is not blank. @returns the number of line breaks passed */
  #nextContentLine(): number {
    let breaks = 0;
    do {
      this.#source.at++;
      breaks++;
      if (this.#source.at >= this.#source.lines.length)
        this.#source.refuse('the quote is never closed', this.#start);
      this.#line = this.#source.lines[this.#source.at]!;
    } while (this.#line.trim() === '');
    this.#column = this.#line.length - this.#line.trimStart().length;
    return breaks;
  }

  #escape(): void {
    const code = this.#line[this.#column + 1];
    if (code === undefined) {
      this.#keep('');
      const breaks = this.#nextContentLine();
      this.#keep(LINE_BREAK.repeat(breaks - 1));
      return;
    }
    const digits = hexDigits[code];
    if (digits !== undefined) {
      this.#escapedCodePoint(this.#line.slice(this.#column + 2, this.#column + 2 + digits), digits);
      return;
    }
    const short = escapes[code];
    if (short === undefined) this.#source.refuse(`the escape \\${code} is unknown`);
    this.#keep(short);
    this.#column += 2;
  }

  #escapedCodePoint(hex: string, digits: number): void {
    const code = hex.length === digits && /^[0-9a-fA-F]+$/.test(hex) ? Number.parseInt(hex, 16) : Infinity;
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
      this.#source.refuse(`"${hex}" is no code point`);
    }
    this.#keep(String.fromCodePoint(code));
    this.#column += 2 + digits;
  }
}
