/**
 * JSON as headers of files have it. JSON.parse() takes the last of two equal names, makes `__proto__` a prototype, and gives no
 * offsets; a header with two tensors of one name must be refused.
 */

export type Json = null | boolean | number | string | Json[] | Map<string, Json>;

const MOST_DEPTH = 64;

/** Something is wrong at a character of the text. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault';
  readonly at: number;

  constructor(at: number, reason: string) {
    super(reason);
    this.at = at;
  }
}

/** @throws Error a JsonFault: no JSON, a name twice in one object, or too deep */
export function parseJson(text: string): Json {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Json {
    if (depth > MOST_DEPTH) this.#fault(`objects lie more than ${MOST_DEPTH} deep in each other`);
    const next = this.#next();
    if (next === '{') return this.#object(depth);
    if (next === '[') return this.#array(depth);
    if (next === '"') return this.#string();
    return this.#word();
  }

  end(): void {
    if (this.#next() !== '') this.#fault('more text after the end of the object');
  }

  #object(depth: number): Map<string, Json> {
    const found = new Map<string, Json>();
    this.#at++;
    if (this.#take('}')) return found;
    for (;;) {
      if (this.#next() !== '"') this.#fault('a name in quotes should be here');
      const at = this.#at;
      const name = this.#string();
      if (found.has(name)) this.#fault(`the name ${JSON.stringify(name.slice(0, 200))} is there twice`, at);
      if (!this.#take(':')) this.#fault('a colon should be here');
      found.set(name, this.value(depth + 1));
      if (this.#take('}')) return found;
      if (!this.#take(',')) this.#fault('a comma or the end of the object should be here');
    }
  }

  #array(depth: number): Json[] {
    const found: Json[] = [];
    this.#at++;
    if (this.#take(']')) return found;
    for (;;) {
      found.push(this.value(depth + 1));
      if (this.#take(']')) return found;
      if (!this.#take(',')) this.#fault('a comma or the end of the list should be here');
    }
  }

  #string(): string {
    const start = this.#at;
    let end = this.#text.indexOf('"', start + 1);
    while (end > 0 && this.#isEscaped(start, end)) end = this.#text.indexOf('"', end + 1);
    if (end < 0) this.#fault('a text has no end', start);
    this.#at = end + 1;
    const token = this.#text.slice(start, end + 1);
    try {
      return JSON.parse(token) as string;
    } catch {
      return this.#fault('a text has control characters or an unknown escape', start);
    }
  }

  #isEscaped(start: number, quote: number): boolean {
    let slashes = 0;
    while (quote - slashes - 1 > start && this.#text[quote - slashes - 1] === '\\') slashes++;
    return slashes % 2 === 1;
  }

  #word(): null | boolean | number {
    const pattern = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    pattern.lastIndex = this.#at;
    const [word] = pattern.exec(this.#text) ?? this.#fault('a value should be here');
    this.#at += word.length;
    return JSON.parse(word) as null | boolean | number;
  }

  #take(wanted: string): boolean {
    if (this.#next() !== wanted) return false;
    this.#at++;
    return true;
  }

  /** The next character that is no space; '' at the end. */
  #next(): string {
    for (;;) {
      const next = this.#text.charAt(this.#at);
      if (next !== ' ' && next !== '\n' && next !== '\t' && next !== '\r') return next;
      this.#at++;
    }
  }

  #fault(reason: string, at = this.#at): never {
    throw new JsonFault(at, reason);
  }
}
