/**
 * Writes a scalar value of a block mapping as libyaml does by default: plain when the text allows it, else in single
 * quotes, else in double quotes. The result is ASCII only. Lines are folded behind column 80.
 */

/** libyaml's default line width. */
const BEST_WIDTH = 80;
const FLOW_INDICATOR_FIRST = ',[]{}&*!|>\'"%@`#';

/** The place of a scalar. */
export interface ScalarPlace {
  /** Column of the next character, behind the colon of the key. */
  column: number;
  /** Blanks before a continuation line. */
  indent: number;
}

interface Analysis {
  plain: boolean;
  single: boolean;
}

/** The scalar as text, with a blank before it. An empty scalar is ''. */
export function scalarText(text: string, place: ScalarPlace): string {
  const { plain, single } = analyze(text);
  if (plain) return text === '' ? '' : writePlain(text, place);
  return single ? writeSingleQuoted(text, place) : writeDoubleQuoted(text, place);
}

function isBreak(character: string | undefined): boolean {
  return character !== undefined && '\r\n\u0085\u2028\u2029'.includes(character);
}

/** Whether a character is a blank, a tab, a line break or the end of the text. */
function isBlankOrEnd(character: string | undefined): boolean {
  return character === undefined || character === ' ' || character === '\t' || isBreak(character);
}

function isPrintableAscii(character: string): boolean {
  return character === '\n' || (character >= ' ' && character <= '~');
}

/** Tells whether the text can be written in plain style, and in single quotes. */
function analyze(text: string): Analysis {
  const characters = [...text];
  const first = characters[0];
  const last = characters.at(-1);
  const isAtEdge = first === ' ' || last === ' ' || isBreak(first) || isBreak(last);
  const hasBreaks = characters.some(isBreak);
  const isSpecial = characters.some((character) => !isPrintableAscii(character));
  // A blank next to a line break would be lost in either style.
  const isBlankAtBreak = / [\r\n\u0085\u2028\u2029]|[\r\n\u0085\u2028\u2029] /.test(text);
  return {
    plain: !isAtEdge && !hasBreaks && !isSpecial && !hasIndicators(characters, text),
    single: !isSpecial && !isBlankAtBreak,
  };
}

/** Whether the text holds characters that have a meaning in YAML at their position. */
function hasIndicators(characters: readonly string[], text: string): boolean {
  if (text.startsWith('---') || text.startsWith('...')) return true;
  return characters.some((character, i) => {
    const isFollowedByBlank = isBlankOrEnd(characters[i + 1]);
    if (character === ':') return isFollowedByBlank;
    if (i === 0 && FLOW_INDICATOR_FIRST.includes(character)) return true;
    if (i === 0 && (character === '?' || character === '-')) return isFollowedByBlank;
    return character === '#' && isBlankOrEnd(characters[i - 1]);
  });
}

/** Writes characters and line breaks, and keeps track of the column. */
class LineWriter {
  text = '';
  #column: number;
  readonly #indent: number;

  constructor(column: number, indent: number) {
    this.#column = column;
    this.#indent = indent;
  }

  get isWide(): boolean {
    return this.#column > BEST_WIDTH;
  }

  put(characters: string): void {
    this.text += characters;
    this.#column += characters.length;
  }

  /** Writes a line break without indentation. */
  lineBreak(): void {
    this.text += '\n';
    this.#column = 0;
  }

  /** Starts a continuation line with its indentation. It uses the current line when nothing was written on it. */
  continuation(): void {
    if (this.#column !== 0) this.lineBreak();
    this.put(' '.repeat(this.#indent));
  }
}

function writePlain(text: string, { column, indent }: ScalarPlace): string {
  const out = new LineWriter(column, indent);
  out.put(' ');
  let afterBlank = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    const canFold = character === ' ' && !afterBlank && text[i + 1] !== ' ';
    if (canFold && out.isWide) out.continuation();
    else out.put(character);
    afterBlank = character === ' ';
  }
  return out.text;
}

function writeSingleQuoted(text: string, { column, indent }: ScalarPlace): string {
  const out = new LineWriter(column, indent);
  out.put(" '");
  let afterBlank = false;
  let afterBreak = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '\n') {
      // The first break of a run is doubled: a single one would be folded into a blank.
      if (!afterBreak) out.lineBreak();
      out.lineBreak();
      afterBreak = true;
      continue;
    }
    if (character === ' ') {
      const isInside = i !== 0 && i !== text.length - 1;
      if (isInside && !afterBlank && text[i + 1] !== ' ' && out.isWide) out.continuation();
      else out.put(' ');
      afterBlank = true;
      continue;
    }
    if (afterBreak) out.continuation();
    out.put(character === "'" ? "''" : character);
    afterBlank = false;
    afterBreak = false;
  }
  if (afterBreak) out.continuation();
  out.put("'");
  return out.text;
}

const escapes: Record<string, string> = {
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\u0085': '\\N',
  '\u00a0': '\\_',
  '\u2028': '\\L',
  '\u2029': '\\P',
};

function writeDoubleQuoted(text: string, { column, indent }: ScalarPlace): string {
  const out = new LineWriter(column, indent);
  const characters = [...text];
  out.put(' "');
  let afterBlank = false;
  for (const [i, character] of characters.entries()) {
    if (character === ' ') {
      const isInside = i !== 0 && i !== characters.length - 1;
      if (isInside && !afterBlank && out.isWide) {
        out.continuation();
        if (characters[i + 1] === ' ') out.put('\\');
      } else out.put(' ');
      afterBlank = true;
      continue;
    }
    out.put(escaped(character));
    afterBlank = false;
  }
  out.put('"');
  return out.text;
}

function escaped(character: string): string {
  const short = escapes[character];
  if (short !== undefined) return short;
  if (isPrintableAscii(character)) return character;
  const code = character.codePointAt(0)!;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
