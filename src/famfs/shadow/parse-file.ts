/**
 * Parses the YAML of a shadow file into a FILE entry, by the rules of C's parser (famfs-format.md 8): the extent list is the
 * last key and its count comes before it. Numbers are read as strtoull reads them with base 0.
 */
import { fail } from '../../libc/index.js';
import type { FileEntry } from '../media/entry.js';
import type { FamfsExtent, Fmap } from '../media/fmap.js';
import { FAMFS_MAX_EXTENTS, FAMFS_MAX_STRIPS } from '../media/layout.js';
import { parseYaml, type YamlMapping, type YamlNode } from './yaml-document.js';

const FILE_KEYS = [
  'path',
  'size',
  'flags',
  'mode',
  'uid',
  'gid',
  'nextents',
  'simple_ext_list',
  'striped_ext_list',
];
const NUMBER = /^(-?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;
const U32 = 2 ** 32;

/**
 * Parses one document. `name` is for messages.
 * @throws DaxError EINVAL the text is not the YAML of a file, naming the line; EOVERFLOW more than 16 extents or strips
 */
export function parseFileYaml(text: string, name: string): FileEntry {
  return new FileYaml(name).file(parseYaml(text, name));
}

class FileYaml {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  file(document: YamlNode): FileEntry {
    const top = this.#mapping(document, ['file']);
    const file = this.#mapping(this.#required(top, 'file'), FILE_KEYS);
    return {
      kind: 'file',
      path: this.#scalar(this.#required(file, 'path')),
      size: this.#number(this.#required(file, 'size')),
      flags: this.#u32(this.#required(file, 'flags')),
      mode: this.#u32(this.#required(file, 'mode')),
      uid: this.#u32(this.#required(file, 'uid')),
      gid: this.#u32(this.#required(file, 'gid')),
      fmap: this.#fmap(file),
    };
  }

  #fmap(file: YamlMapping): Fmap {
    const count = this.#number(this.#required(file, 'nextents'));
    const list = file.entries.at(-1)!;
    if (list.key !== 'simple_ext_list' && list.key !== 'striped_ext_list') {
      this.#refuse(list.line, 'the extent list must be the last key');
    }
    if (list.key === 'simple_ext_list') {
      return { type: 'simple', extents: this.#extents(list.value, count, 'nextents', FAMFS_MAX_EXTENTS) };
    }
    const items = this.#items(list.value, count, 'nextents', 1);
    return this.#interleaved(this.#mapping(items[0]!, ['nstrips', 'chunk_size', 'simple_ext_list']));
  }

  #interleaved(item: YamlMapping): Fmap {
    const last = item.entries.at(-1)!;
    if (last.key !== 'simple_ext_list') this.#refuse(last.line, 'the strips must be the last key');
    const nstrips = this.#number(this.#required(item, 'nstrips'));
    const chunkSize = this.#number(this.#required(item, 'chunk_size'));
    const extents = this.#extents(last.value, nstrips, 'nstrips', FAMFS_MAX_STRIPS);
    return { type: 'interleaved', nstrips, chunkSize, extents };
  }

  #extents(node: YamlNode, count: number, counted: string, most: number): FamfsExtent[] {
    return this.#items(node, count, counted, most).map((item) => {
      const extent = this.#mapping(item, ['devindex', 'offset', 'length']);
      const devindex = this.#optional(extent, 'devindex');
      return {
        devindex: devindex === undefined ? 0 : this.#number(devindex),
        offset: this.#number(this.#required(extent, 'offset')),
        length: this.#number(this.#required(extent, 'length')),
      };
    });
  }

  #items(node: YamlNode, count: number, counted: string, most: number): YamlNode[] {
    if (node.kind !== 'sequence') return this.#refuse(node.line, 'a list is wanted');
    const { items } = node;
    if (items.length > most || count > most) {
      fail(
        'EOVERFLOW',
        `${this.#name}, line ${node.line + 1}: ${Math.max(items.length, count)} extents, at most ${most}`,
      );
    }
    if (items.length !== count) {
      this.#refuse(node.line, `the list has ${items.length} items, ${counted} says ${count}`);
    }
    return items;
  }

  #mapping(node: YamlNode, keys: readonly string[]): YamlMapping {
    if (node.kind !== 'mapping') return this.#refuse(node.line, `keys are wanted: ${keys.join(', ')}`);
    const seen = new Set<string>();
    for (const { key, line } of node.entries) {
      if (!keys.includes(key)) this.#refuse(line, `the key '${key}' is unknown`);
      if (seen.has(key)) this.#refuse(line, `the key '${key}' is there twice`);
      seen.add(key);
    }
    return node;
  }

  #optional(mapping: YamlMapping, key: string): YamlNode | undefined {
    return mapping.entries.find((entry) => entry.key === key)?.value;
  }

  #required(mapping: YamlMapping, key: string): YamlNode {
    return this.#optional(mapping, key) ?? this.#refuse(mapping.line, `the key '${key}' is missing`);
  }

  #scalar(node: YamlNode): string {
    return node.kind === 'scalar' ? node.text : this.#refuse(node.line, 'one value is wanted');
  }

  #u32(node: YamlNode): number {
    const value = this.#signed(node);
    if (value < -(U32 / 2) || value >= U32) this.#refuse(node.line, `${value} does not fit 32 bits`);
    return value >>> 0;
  }

  #number(node: YamlNode): number {
    const value = this.#signed(node);
    return value >= 0 ? value : this.#refuse(node.line, `${value} is negative`);
  }

  #signed(node: YamlNode): number {
    const text = this.#scalar(node);
    const [, sign, digits = ''] = NUMBER.exec(text) ?? this.#refuse(node.line, `"${text}" is no number`);
    const magnitude = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
    if (!Number.isSafeInteger(magnitude)) this.#refuse(node.line, `${text} is beyond 2^53`);
    return sign === '-' ? -magnitude : magnitude;
  }

  #refuse(line: number, why: string): never {
    return fail('EINVAL', `${this.#name}, line ${line + 1}: ${why}`, { path: this.#name });
  }
}
