/** Replays a log into a shadow tree (famfs-format.md 7 and 8), which holds a directory for a directory and YAML for a file. */
import fs from 'node:fs';
import { asDaxError, DaxError, fail, hasCode } from '../../libc/index.js';
import type { FileEntry, LogEntry, MkdirEntry } from '../media/entry.js';
import { FAMFS_PATH_FIELD } from '../media/layout.js';
import { checkLogHeader, Log } from '../media/log.js';
import type { Media } from '../media/media.js';
import { encodeName } from '../media/path.js';
import { type Problem, ProblemList } from '../media/problem.js';
import { readSuperblock } from '../media/superblock.js';
import { fileYaml } from './file-yaml.js';
import { parseFileYaml } from './parse-file.js';
import { ShadowPlaces, shadowRoot, standing } from './shadow-root.js';

export interface ShadowReport {
  /** The number of published entries, and how many of them were replayed. The replay stops at an entry that fails its checks. */
  entries: number;
  replayed: number;
  /** Made by this replay; the `...Existed` counts are those that were there already. */
  files: number;
  directories: number;
  filesExisted: number;
  directoriesExisted: number;
  fileErrors: number;
  directoryErrors: number;
  /** How many files had their YAML read back and compared with the log, and how many of them differ. */
  yamlChecked: number;
  yamlErrors: number;
  problems: Problem[];
}

const FILE_MODE = 0o644;
const NO_CHANGE = 0xffffffff;
const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;

/**
 * The log of a medium as logplay reads it. The magic and crc of its header must be good. A length that contradicts the
 * superblock is accepted, because the entries can be read all the same; fsck reports it.
 * @throws DaxError EINVAL no famfs, EOPNOTSUPP another version, EBADMSG damaged
 */
export function readableLog(media: Media): Log {
  const log = Log.at(media, readSuperblock(media));
  const problem = checkLogHeader(log.headerBytes(), log.offset);
  if (problem === null) return log;
  return fail('EBADMSG', `${media.name}: ${problem.message}; the log is damaged, fsck() tells more`, {
    path: media.name,
    hint: 'fsck',
  });
}

/**
 * Replays a log into `<shadow>/root` (mirrors `famfs logplay --shadow`). It is idempotent: existing files stay, and are
 * compared with the log. Nothing outside the root is touched, whatever the log says. It stops at the first entry that fails
 * its checks. Directories get their owner only when this process is root; their mode goes through the umask.
 * @throws DaxError ENOENT, ENOTDIR, EACCES, ENOSPC of the host's file system
 */
export function replayToShadow(log: Log, shadow: string): ShadowReport {
  return new ShadowReplay(log, new ShadowPlaces(shadowRoot(shadow))).run();
}

class ShadowReplay {
  readonly #log: Log;
  readonly #places: ShadowPlaces;
  readonly #isRoot = process.geteuid?.() === 0;
  readonly #problems = new ProblemList();
  readonly #report: ShadowReport = {
    entries: 0,
    replayed: 0,
    files: 0,
    directories: 0,
    filesExisted: 0,
    directoriesExisted: 0,
    fileErrors: 0,
    directoryErrors: 0,
    yamlChecked: 0,
    yamlErrors: 0,
    problems: [],
  };

  constructor(log: Log, places: ShadowPlaces) {
    this.#log = log;
    this.#places = places;
  }

  run(): ShadowReport {
    this.#playAll();
    return { ...this.#report, problems: this.#problems.toArray() };
  }

  #playAll(): void {
    const report = this.#report;
    report.entries = this.#log.nextIndex();
    const end = Math.min(report.entries, this.#log.slots);
    for (; report.replayed < end; report.replayed++) {
      const [problem] = this.#log.checkEntry(report.replayed);
      if (problem !== undefined) {
        this.#problems.add(problem);
        return;
      }
      this.#play(report.replayed);
    }
    if (report.entries > end) {
      const message = `next_index is ${report.entries}, the log has ${this.#log.slots} slots`;
      this.#problems.add({ code: 'log-index', message });
    }
  }

  #play(index: number): void {
    let entry: LogEntry;
    try {
      entry = this.#log.entry(index);
    } catch (error) {
      if (!hasCode(error, 'EBADMSG')) throw error;
      this.#fileError(index, 'entry', (error as Error).message);
      return;
    }
    if (entry.kind === 'file') this.#playFile(entry);
    else if (entry.kind === 'mkdir') this.#playMkdir(entry);
  }

  #playFile(entry: FileEntry & { index: number }): void {
    const { index, path } = entry;
    const fault = pathFault(path) ?? extentFault(entry) ?? this.#places.parentFault(path);
    if (fault !== null) {
      this.#fileError(index, fault.code, fault.message, path);
      return;
    }
    const where = this.#places.hostPath(path);
    const there = standing(where);
    if (there === 'directory' || there === 'other') {
      this.#fileError(index, 'not-a-file', 'something that is no file stands there', path);
      return;
    }
    try {
      if (there === 'nothing') this.#writeFile(where, fileYaml(entry));
      else this.#report.filesExisted++;
    } catch (error) {
      if (!hasCode(error, 'EILSEQ')) throw error;
      this.#fileError(index, 'path-not-utf8', 'its path is not UTF-8, which YAML needs', path);
      return;
    }
    this.#compare(where, entry);
  }

  #writeFile(where: Buffer, yaml: string): void {
    let fd: number | undefined;
    try {
      fd = fs.openSync(where, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE);
      fs.writeFileSync(fd, yaml);
    } catch (error) {
      throw asDaxError(error, `writing the shadow file ${where}`, String(where));
    } finally {
      if (fd !== undefined) fs.closeSync(fd);
    }
    this.#report.files++;
  }

  /** Reads the shadow file back and compares it with the log entry. */
  #compare(where: Buffer, entry: FileEntry & { index: number }): void {
    this.#report.yamlChecked++;
    try {
      const found = parseFileYaml(fs.readFileSync(where, 'utf8'), String(where));
      if (fileYaml(found) === fileYaml(entry)) return;
      this.#yamlError(
        entry,
        `the shadow file ${where} says something else than the log: it is left as it is`,
      );
    } catch (error) {
      if (!(error instanceof DaxError))
        throw asDaxError(error, `reading the shadow file ${where}`, String(where));
      this.#yamlError(entry, error.message);
    }
  }

  #playMkdir(entry: MkdirEntry & { index: number }): void {
    const { path, mode, uid, gid } = entry;
    const fault = pathFault(path) ?? this.#places.parentFault(path);
    if (fault !== null) {
      this.#directoryError(entry, fault.code, fault.message);
      return;
    }
    const where = this.#places.hostPath(path);
    const there = standing(where);
    if (there === 'directory') {
      this.#report.directoriesExisted++;
      return;
    }
    if (there !== 'nothing') {
      this.#directoryError(entry, 'not-a-directory', 'something that is no directory stands there');
      return;
    }
    try {
      fs.mkdirSync(where, { mode: mode & 0o7777 });
      const keeps = uid === NO_CHANGE || gid === NO_CHANGE;
      if (this.#isRoot && !keeps) fs.lchownSync(where, uid, gid);
    } catch (error) {
      throw asDaxError(error, `making the shadow directory ${where}`, String(where));
    }
    this.#report.directories++;
  }

  #fileError(index: number, code: string, message: string, path = ''): void {
    this.#report.fileErrors++;
    this.#problem(index, code, message, path);
  }

  #directoryError({ index, path }: { index: number; path: string }, code: string, message: string): void {
    this.#report.directoryErrors++;
    this.#problem(index, code, message, path);
  }

  #yamlError({ index, path }: { index: number; path: string }, message: string): void {
    this.#report.yamlErrors++;
    this.#problem(index, 'shadow-yaml', message, path);
  }

  #problem(index: number, code: string, message: string, path: string): void {
    const name = path === '' ? '' : ` ('${path}')`;
    this.#problems.add({ code, message: `log entry ${index}${name}: ${message}`, entry: index });
  }
}

/** Why a logged path is no place below the root, or null. */
function pathFault(path: string): { code: string; message: string } | null {
  if (path === '') return { code: 'path-empty', message: 'the path is empty' };
  if (path.startsWith('/')) return { code: 'path-absolute', message: 'the path is not relative' };
  if (encodeName(path).length >= FAMFS_PATH_FIELD) {
    return { code: 'path-unterminated', message: 'the path has no NUL within its field' };
  }
  for (const component of path.split('/')) {
    if (component === '') return { code: 'path-component', message: 'the path has an empty component' };
    if (component === '.' || component === '..') {
      return { code: 'path-dot', message: "the path has a '.' or '..' component" };
    }
  }
  return null;
}

/** Why the extents of a file cannot be valid, or null: an extent at offset 0 (the superblock), or chunks of no size. */
function extentFault({ fmap }: FileEntry): { code: string; message: string } | null {
  if (fmap.extents.some(({ offset }) => offset === 0)) {
    return { code: 'extent-offset', message: 'it has an extent with offset 0, where the superblock is' };
  }
  if (fmap.type === 'interleaved' && fmap.chunkSize === 0) {
    return { code: 'chunk-size', message: 'its chunk size is 0' };
  }
  return null;
}
