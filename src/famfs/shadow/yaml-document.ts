/**
 * Reads the part of YAML that famfs writes: one document of block mappings and sequences, with comments. Scalars are plain or
 * quoted, and may be folded over several lines. Anything else (flow collections, anchors, tags, block scalars, tabs
 * as indentation) is refused, naming the line.
 */
import { fail } from '../../libc/index.js';
import { type ScalarLines, scanScalar } from './yaml-scan.js';

export interface YamlScalar {
  kind: 'scalar';
  text: string;
  line: number;
}
export interface YamlMapping {
  kind: 'mapping';
  line: number;
  entries: { key: string; line: number; value: YamlNode }[];
}
export interface YamlSequence {
  kind: 'sequence';
  line: number;
  items: YamlNode[];
}
export type YamlNode = YamlScalar | YamlMapping | YamlSequence;

const KEY = /^([A-Za-z0-9_.-]+):(?: +(.*))?$/;
/** The deepest allowed block. The file of an interleaved fmap needs 5. */
const MAX_DEPTH = 8;

/** Parses a document into its root node. @throws DaxError EINVAL naming `name` and the line */
export function parseYaml(text: string, name: string): YamlNode {
  return new DocumentParser(text, name).document();
}

class DocumentParser {
  readonly #source: ScalarLines;
  readonly #name: string;

  constructor(text: string, name: string) {
    this.#name = name;
    this.#source = { lines: text.split('\n'), at: 0, refuse: (why, line) => this.#refuse(why, line) };
  }

  document(): YamlNode {
    this.#skipBlank();
    if (this.#line === '---') this.#source.at++;
    this.#skipBlank();
    if (this.#isAtEnd) this.#refuse('the document is empty');
    const node = this.#block(indentOf(this.#line), 0);
    this.#skipBlank();
    if (this.#line === '...') this.#source.at++;
    this.#skipBlank();
    if (this.#source.at < this.#source.lines.length) this.#refuse('something follows the document');
    return node;
  }

  get #line(): string {
    return this.#source.lines[this.#source.at] ?? '';
  }

  get #isAtEnd(): boolean {
    return this.#source.at >= this.#source.lines.length || this.#line === '...' || this.#line === '---';
  }

  #skipBlank(): void {
    while (this.#source.at < this.#source.lines.length && /^\s*(#.*)?$/.test(this.#line)) this.#source.at++;
  }

  #block(indent: number, depth: number): YamlNode {
    if (depth > MAX_DEPTH) this.#refuse('it is nested too deeply');
    return isItem(this.#line, indent) ? this.#sequence(indent, depth) : this.#mapping(indent, depth);
  }

  #mapping(indent: number, depth: number): YamlMapping {
    const entries: YamlMapping['entries'] = [];
    const line = this.#source.at;
    for (;;) {
      this.#skipBlank();
      if (this.#isAtEnd || indentOf(this.#line) < indent) break;
      if (indentOf(this.#line) > indent) this.#refuse('it is indented further than its neighbours');
      if (isItem(this.#line, indent)) break;
      entries.push(this.#entry(indent, depth));
    }
    return { kind: 'mapping', line, entries };
  }

  #entry(indent: number, depth: number): YamlMapping['entries'][number] {
    const line = this.#source.at;
    const [, key, rest = ''] = KEY.exec(this.#line.slice(indent)) ?? this.#refuse('it is no "key: value"');
    if (rest !== '' && !rest.startsWith('#')) {
      const column = this.#line.length - rest.length;
      return {
        key: key!,
        line,
        value: { kind: 'scalar', line, text: scanScalar(this.#source, column, indent) },
      };
    }
    this.#source.at++;
    this.#skipBlank();
    const next = this.#isAtEnd ? -1 : indentOf(this.#line);
    // A sequence may have the indentation of its key: libyaml writes it so.
    if (next > indent || (next === indent && isItem(this.#line, indent))) {
      return { key: key!, line, value: this.#block(next, depth + 1) };
    }
    return { key: key!, line, value: { kind: 'scalar', line, text: '' } };
  }

  #sequence(indent: number, depth: number): YamlSequence {
    const items: YamlNode[] = [];
    const line = this.#source.at;
    for (;;) {
      this.#skipBlank();
      if (this.#isAtEnd || indentOf(this.#line) < indent || !isItem(this.#line, indent)) break;
      items.push(this.#item(indent, depth));
    }
    return { kind: 'sequence', line, items };
  }

  #item(indent: number, depth: number): YamlNode {
    const line = this.#source.at;
    const content = this.#line.slice(indent + 1);
    if (content.trim() === '') this.#refuse('it is an empty item');
    // The item's own block starts behind the dash. The dash is replaced by a blank, so that it counts as indentation.
    this.#source.lines[line] = `${' '.repeat(indent + 1)}${content}`;
    const column = indentOf(this.#line);
    if (KEY.test(this.#line.slice(column))) return this.#block(column, depth + 1);
    return { kind: 'scalar', line, text: scanScalar(this.#source, column, indent) };
  }

  #refuse(why: string, line = this.#source.at): never {
    return fail('EINVAL', `${this.#name}, line ${line + 1}: ${why}`, { path: this.#name });
  }
}

function indentOf(line: string): number {
  return line.length - line.replace(/^ +/, '').length;
}

function isItem(line: string, indent: number): boolean {
  return line[indent] === '-' && (line.length === indent + 1 || line[indent + 1] === ' ');
}
