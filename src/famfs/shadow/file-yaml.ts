/** Renders a FILE entry as the text that C famfs keeps in its shadow tree, byte for byte (famfs-format.md 8). */
import { fail } from '../../libc/index.js';
import type { FileEntry } from '../media/entry.js';
import type { FamfsExtent } from '../media/fmap.js';
import { scalarText } from './yaml-scalar.js';

const LONE_SURROGATE = /[\ud800-\udfff]/u;
const PATH_KEY = '  path:';

/**
 * The YAML document of a file.
 * @throws DaxError EILSEQ the path is not UTF-8, which YAML needs (C crashes on such a path)
 */
export function fileYaml(file: FileEntry): string {
  const { path, fmap } = file;
  if (LONE_SURROGATE.test(path)) {
    fail('EILSEQ', `the path '${path}' is not UTF-8: it has no YAML`, { path });
  }
  const head = [
    '---',
    'file:',
    PATH_KEY + scalarText(path, { column: PATH_KEY.length, indent: 4 }),
    `  size: ${file.size}`,
    `  flags: ${file.flags}`,
    `  mode: 0${file.mode.toString(8)}`,
    // C prints owners as signed numbers.
    `  uid: ${file.uid | 0}`,
    `  gid: ${file.gid | 0}`,
  ];
  const list =
    fmap.type === 'simple'
      ? [`  nextents: ${fmap.extents.length}`, '  simple_ext_list:', ...extentLines(fmap.extents, '  ')]
      : [
          '  nextents: 1',
          '  striped_ext_list:',
          `  - nstrips: ${fmap.nstrips}`,
          `    chunk_size: 0x${fmap.chunkSize.toString(16)}`,
          '    simple_ext_list:',
          ...extentLines(fmap.extents, '    '),
        ];
  return `${[...head, ...list, '...'].join('\n')}\n`;
}

function extentLines(extents: readonly FamfsExtent[], indent: string): string[] {
  return extents.flatMap(({ devindex, offset, length }) => [
    `${indent}- devindex: ${devindex}`,
    `${indent}  offset: 0x${offset.toString(16)}`,
    `${indent}  length: 0x${length.toString(16)}`,
  ]);
}
