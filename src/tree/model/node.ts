/**
 * The nodes of an attribute tree. A directory makes its children at each call, so a tree is never stale and costs nothing
 * at rest.
 */

/** Modes as in st_mode & 07777. */
const DIRECTORY_MODE = 0o755;
const LINK_MODE = 0o777;
/** The size that stat reports for every attribute, whatever its text. */
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
  /** The text of the attribute. Absent: opening to read is EACCES, for root too. */
  readonly show: (() => string) | undefined;
  /** Gets the written text up to the first NUL, and throws the error of the write. Absent: opening to write is EACCES. */
  readonly store: ((text: string) => void) | undefined;
}

export interface LinkNode {
  readonly type: 'link';
  /** Relative to the directory of the link. */
  readonly target: string;
}

export type SysfsNode = DirectoryNode | AttributeNode | LinkNode;

/** One row of an attribute table: name, mode, show and store. */
export interface AttributeRow<Subject> {
  readonly name: string;
  /** Mode of the file; null when this subject does not have the file. */
  readonly mode: number | ((subject: Subject) => number | null);
  readonly show?: (subject: Subject) => string;
  readonly store?: (subject: Subject, text: string) => void;
}

/** The children of a directory. Of several with one name, the last counts. */
export type Entries = [name: string, node: SysfsNode][];

/** A directory whose entries are made anew at each call. */
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

/** A directory with many entries: `find` looks one up without making the others. */
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

/** The rows of a table that apply to this subject, as entries. */
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
  // The mode decides which methods exist: an attribute with a `show` but mode 0200 for this subject cannot be read.
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
