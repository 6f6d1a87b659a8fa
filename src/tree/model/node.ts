/**
 * What an attribute tree is made of. Directories make their children when asked, so a tree is always
 * as old as the question and costs nothing at rest.
 */

/** Modes as in st_mode & 07777. */
const DIRECTORY_MODE = 0o755;
const LINK_MODE = 0o777;
/** What stat says of every attribute, whatever it holds. */
const ATTRIBUTE_SIZE_BYTES = 4096;

export interface DirectoryNode {
  readonly type: 'directory';
  /** In readdir order. */
  names(): string[];
  child(name: string): SysfsNode | undefined;
}

export interface AttributeNode {
  readonly type: 'file';
  readonly mode: number;
  /** Absent: opening to read is EACCES, for root too. */
  readonly show: (() => string) | undefined;
  /** Gets the text up to the first NUL; absent: opening to write is EACCES. Throws what the write fails with. */
  readonly store: ((text: string) => void) | undefined;
}

export interface LinkNode {
  readonly type: 'link';
  /** Relative to the directory of the link. */
  readonly target: string;
}

export type SysfsNode = DirectoryNode | AttributeNode | LinkNode;

/** One row of an attribute table: what the file is called, who may open it, what it answers. */
export interface AttributeRow<Subject> {
  readonly name: string;
  /** Mode of the file; null where this subject has no such file. */
  readonly mode: number | ((subject: Subject) => number | null);
  readonly show?: (subject: Subject) => string;
  readonly store?: (subject: Subject, text: string) => void;
}

/** The children a directory is put together from; later ones of the same name win. */
export type Entries = [name: string, node: SysfsNode][];

/** A directory over entries that are made anew for each question. */
export function directory(entries: () => Entries): DirectoryNode {
  return {
    type: 'directory',
    names: () =>
      entries()
        .map(([name]) => name)
        .sort(),
    child: (name) => entries().findLast(([candidate]) => candidate === name)?.[1],
  };
}

export const emptyDirectory: DirectoryNode = directory(() => []);

/** The same, for many neighbours: `find` looks one up without making the others. */
export function largeDirectory(
  entries: () => Entries,
  find: (name: string) => SysfsNode | undefined,
): DirectoryNode {
  const small = directory(entries);
  return { ...small, child: find };
}

export function link(target: string): LinkNode {
  return { type: 'link', target };
}

/** The rows of a table that this subject has, as entries. */
export function attributes<Subject>(rows: readonly AttributeRow<Subject>[], subject: Subject): Entries {
  const entries: Entries = [];
  for (const row of rows) {
    const mode = typeof row.mode === 'function' ? row.mode(subject) : row.mode;
    if (mode !== null) entries.push([row.name, attribute(row, mode, subject)]);
  }
  return entries;
}

function attribute<Subject>(row: AttributeRow<Subject>, mode: number, subject: Subject): AttributeNode {
  const { show, store } = row;
  // The mode decides which methods exist: an attribute that shows but is 0200 for this subject cannot be read.
  return {
    type: 'file',
    mode,
    show: show && mode & 0o444 ? () => show(subject) : undefined,
    store: store && mode & 0o222 ? (text) => store(subject, text) : undefined,
  };
}

export function modeOf(node: SysfsNode): number {
  if (node.type === 'directory') return DIRECTORY_MODE;
  return node.type === 'link' ? LINK_MODE : node.mode;
}

export function sizeOf(node: SysfsNode): number {
  return node.type === 'file' ? ATTRIBUTE_SIZE_BYTES : 0;
}
