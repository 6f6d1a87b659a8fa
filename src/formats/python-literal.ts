/** The Python literals in headers of npy files: dicts, tuples, lists, texts, whole numbers, True, False, None. */

export type PythonValue = null | boolean | number | string | PythonValue[] | Map<string, PythonValue>;

const MOST_DEPTH = 32;

/** Something is wrong at a character of the text. */
export class PythonFault extends Error {
  override readonly name = 'PythonFault';
  readonly at: number;

  constructor(at: number, reason: string) {
    super(reason);
    this.at = at;
  }
}

/** Tuples and lists are arrays. @throws Error a PythonFault */
export function parsePython(text: string): PythonValue {
  const reader = new PythonReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class PythonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): PythonValue {
    if (depth > MOST_DEPTH) this.#fault(`values lie more than ${MOST_DEPTH} deep in each other`);
    const next = this.#next();
    if (next === '{') return this.#dict(depth);
    if (next === '(') return this.#list(')', depth);
    if (next === '[') return this.#list(']', depth);
    if (next === "'" || next === '"') return this.#string(next);
    return this.#word();
  }

  end(): void {
    if (this.#next() !== '') this.#fault('more text after the end');
  }

  #dict(depth: number): Map<string, PythonValue> {
    const found = new Map<string, PythonValue>();
    this.#at++;
    while (!this.#take('}')) {
      const quote = this.#next();
      if (quote !== "'" && quote !== '"') this.#fault('a key in quotes should be here');
      const key = this.#string(quote);
      if (found.has(key)) this.#fault(`the key ${JSON.stringify(key.slice(0, 100))} is there twice`);
      if (!this.#take(':')) this.#fault('a colon should be here');
      found.set(key, this.value(depth + 1));
      if (!this.#take(',') && this.#next() !== '}') this.#fault('a comma or the end should be here');
    }
    return found;
  }

  #list(close: string, depth: number): PythonValue[] {
    const found: PythonValue[] = [];
    this.#at++;
    while (!this.#take(close)) {
      found.push(this.value(depth + 1));
      if (!this.#take(',') && this.#next() !== close) this.#fault('a comma or the end should be here');
    }
    return found;
  }

  #string(quote: string): string {
    let text = '';
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const letter = this.#text[at]!;
      if (letter === quote) {
        this.#at = at + 1;
        return text;
      }
      // Names of fields; other escapes stay as they are written.
      if (letter === '\\' && /['"\\]/.test(this.#text[at + 1] ?? '')) at++;
      text += this.#text[at];
    }
    return this.#fault('a text has no end');
  }

  #word(): null | boolean | number {
    // Python 2 wrote an L behind long numbers.
    const pattern = /(?:(True|False|None)|(-?\d{1,20})L?)(?![\w.])/y;
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text) ?? this.#fault('a value should be here');
    this.#at += match[0].length;
    if (match[2] !== undefined) return Number(match[2]);
    return match[1] === 'None' ? null : match[1] === 'True';
  }

  #take(wanted: string): boolean {
    if (this.#next() !== wanted) return false;
    this.#at++;
    return true;
  }

  /** The next character that is no space; '' at the end. */
  #next(): string {
    while (/[ \t\r\n]/.test(this.#text.charAt(this.#at))) this.#at++;
    return this.#text.charAt(this.#at);
  }

  #fault(reason: string): never {
    throw new PythonFault(this.#at, reason);
  }
}
