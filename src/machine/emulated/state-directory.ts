import fs from 'node:fs';
import path from 'node:path';
import {
  afterCommit,
  asDaxError,
  closeDescriptor,
  closing,
  FileWitness,
  fail,
  hasCode,
  isSameFile,
  type LockPatience,
  makeDirectories,
  makeDirectoryAsAbove,
  openOwnFile,
  recentTime,
  syncDirectory,
  whenClosed,
  whenCollected,
} from '../../libc/index.js';
import { MachineLock } from '../lock.js';
import { type Draft, dropDraft, keepSpareDraft, writeDraft } from './spare-draft.js';

const SUBDIRECTORIES = ['regions', 'holders', 'volumes'];

/** Maximum age in milliseconds of the answer of hasMovedLately. A look costs 10 us where reads of 6 us come in between. */
const GLANCE_MS = 5;

/** Documents that this isolate has written, so that two machines of one process see each other's changes at once. */
let documentsWritten = 0;

/**
 * The files of one machine (decision 6): their names, their modes, the lock, and the writing of a document such that a kill at
 * any instruction leaves the old or the new one. This class does not know the content of the document.
 *
 *     machine.json   the document, replaced by rename      machine.lock   held to change it; readers need no lock
 *     regions/       memory of its own      holders/       volumes/
 *     machine.json.spare   space for the next document, so that a machine on a full disk can still be changed
 *
 * The file itself tells whether the machine was changed: the descriptor of the last document read shows whether it was renamed
 * over, written or removed. (A word in a mapped file would cost one load, but truncating that file would kill every process that
 * loads it.)
 *
 * Modes: files have the directory's own mode without its x bits, so every user of the directory can use them. The lock and the
 * memory are closed to users who may only read: see privateMode.
 */
export class StateDirectory {
  readonly holdersPath: string;
  readonly volumesPath: string;
  readonly documentPath: string;
  /** Equal for two names of one directory, different for two directories. */
  readonly identity: string;
  #document: { fd: number; witness: FileWitness } | undefined;
  #glancedAt = Number.NEGATIVE_INFINITY;
  #glancedWritten = 0;
  readonly #directoryMode: number;
  /** Undefined when this user may not change the machine. */
  readonly #lock: MachineLock | undefined;

  private constructor(
    readonly root: string,
    directoryMode: number,
    lock: MachineLock | undefined,
  ) {
    this.#directoryMode = directoryMode;
    this.#lock = lock;
    const { dev, ino } = fs.statSync(root);
    this.identity = `${dev}:${ino}`;
    this.holdersPath = path.join(root, 'holders');
    this.volumesPath = path.join(root, 'volumes');
    this.documentPath = path.join(root, 'machine.json');
  }

  /**
   * Opens a state directory.
   * @param options create: make it when there is none; firstDocument: text of machine.json for a new machine, generation 1
   * @throws DaxError ENOENT there is none and `create` is not set; EACCES, EROFS and others, naming the directory, when it cannot
   *   be made or read
   */
  static open(
    root: string,
    options: { create: boolean; firstDocument: () => string; patience?: LockPatience },
  ): StateDirectory {
    const { create, firstDocument, patience = {} } = options;
    try {
      const existing = StateDirectory.#openExisting(root, patience);
      if (existing) return existing;
      // When the machine exists but parts of it are missing, those are made again.
      if (create || isMachine(root)) return StateDirectory.#make(root, firstDocument, patience);
    } catch (error) {
      throw asDaxError(
        error,
        `state directory ${root} cannot be opened (choose another root)`,
        undefined,
        'other-root',
      );
    }
    return fail(
      'ENOENT',
      `there is no machine at ${root}: make one with openMachine(DIR, { create: true }) or openVolume(DIR, { size }), or check the path`,
      { path: root, hint: 'make-machine' },
    );
  }

  static #openExisting(root: string, patience: LockPatience): StateDirectory | undefined {
    try {
      const mode = fs.statSync(root).mode & 0o7777;
      const lock = MachineLock.openIfAllowed(path.join(root, 'machine.lock'), patience);
      try {
        lock?.restrict(privateMode(mode));
        fs.accessSync(path.join(root, 'machine.json'));
        return new StateDirectory(root, mode, lock);
      } catch (error) {
        lock?.close();
        throw error;
      }
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Makes what is missing. Several processes may be here at once: the lock file makes one of them go first. */
  static #make(root: string, firstDocument: () => string, patience: LockPatience): StateDirectory {
    const above = nearestDirectory(root);
    makeDirectories(root, 0o700);
    const mode = fs.statSync(root).mode & 0o7777;
    const lock = MachineLock.open(path.join(root, 'machine.lock'), { mode: privateMode(mode), patience });
    try {
      lock.take();
      try {
        for (const name of SUBDIRECTORIES) makeDirectoryAsAbove(path.join(root, name));
        const directory = new StateDirectory(root, mode, lock);
        // Another process may have made it just now.
        if (!fs.existsSync(directory.documentPath)) {
          // Once there is a document, everything it relies on and the path to it must be durable.
          syncUpTo(root, above);
          directory.publish(firstDocument());
        }
        return directory;
      } finally {
        lock.release();
      }
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  get writable(): boolean {
    return this.#lock !== undefined;
  }

  /** Whether machine.json was replaced or changed since it was last read or written here. One system call. */
  get hasMoved(): boolean {
    this.#glancedWritten = documentsWritten;
    return this.#document === undefined || !this.#document.witness.isAsBefore;
  }

  /**
   * hasMoved, at most five milliseconds old; changes by this isolate show at once. For calls that come a hundred thousand times a
   * second, on devices that nobody changes while they are held.
   */
  get hasMovedLately(): boolean {
    const now = recentTime();
    if (this.#glancedWritten === documentsWritten && now - this.#glancedAt <= GLANCE_MS) return false;
    this.#glancedAt = now;
    return this.hasMoved;
  }

  /** Mode of the document and of holder files. */
  get fileMode(): number {
    return this.#directoryMode & 0o666;
  }

  /** Mode of files that hold memory. */
  get memoryMode(): number {
    return privateMode(this.#directoryMode);
  }

  /** Runs `work` under the lock. Not recursive. @throws DaxError EACCES, EROFS this user may only read the directory */
  underLock<T>(work: () => T): T {
    const lock = this.#lock;
    if (!lock) return refuseChange(this.root);
    lock.take();
    try {
      return work();
    } finally {
      lock.release();
    }
  }

  /**
   * Reads the current text of machine.json. It needs no lock, because the file is replaced as a whole.
   * @throws DaxError ESTALE the directory was removed or replaced
   */
  read(): string {
    for (;;) {
      const fd = this.#openDocument();
      try {
        const document = { fd, witness: new FileWitness(fd) };
        const text = fs.readFileSync(fd, 'utf8');
        // The file may be renamed over between open and witness. Then the witness began after the change and would never report
        // it.
        const isStillNamed = isSameFile(fs.fstatSync(fd), fs.statSync(this.documentPath));
        if (isStillNamed) {
          this.#keep(document);
          return text;
        }
      } catch (error) {
        closeDescriptor(fd);
        throw error;
      }
      closeDescriptor(fd);
    }
  }

  #openDocument(): number {
    try {
      return openOwnFile(this.documentPath, { writable: false });
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      return fail(
        'ESTALE',
        `${this.documentPath} is gone: the state directory was removed or moved; open the machine again`,
        { path: this.documentPath },
      );
    }
  }

  /**
   * Writes a new document. The caller has the exclusive lock. The new text is on the disk before the rename. The rename is the
   * moment of the change: a failure after it is only a warning.
   */
  publish(text: string): void {
    let draft: Draft | undefined;
    try {
      draft = writeDraft(this.documentPath, text, this.fileMode);
      fs.renameSync(draft.file, this.documentPath);
    } catch (error) {
      if (draft !== undefined) dropDraft(this.documentPath, draft);
      throw asDaxError(
        error,
        `writing ${this.documentPath} failed, the machine stays as it was`,
        this.documentPath,
      );
    }
    documentsWritten++;
    const { fd } = draft;
    afterCommit(`watching ${this.documentPath}`, () => this.#watch(fd));
    afterCommit(`making ${this.documentPath} durable`, () => syncDirectory(this.root));
    keepSpareDraft(this.documentPath, text.length, this.fileMode);
  }

  /** Watches the document just written. When that fails, the document counts as moved and is read again. */
  #watch(fd: number): void {
    let witness: FileWitness;
    try {
      witness = new FileWitness(fd);
    } catch (error) {
      closeDescriptor(fd);
      this.#keep(undefined);
      throw error;
    }
    this.#keep({ fd, witness });
  }

  close(): void {
    this.#keep(undefined);
    this.#lock?.close();
  }

  #keep(document: { fd: number; witness: FileWitness } | undefined): void {
    const before = this.#document;
    this.#document = document;
    if (before) {
      whenClosed(before);
      closeDescriptor(before.fd);
    }
    if (document) whenCollected(document, this.documentPath, closing(document.fd));
  }
}

/** Refuses a change by a user who could not open the lock for writing. */
function refuseChange(root: string): never {
  try {
    fs.accessSync(root, fs.constants.W_OK);
  } catch (error) {
    if (hasCode(error, 'EROFS'))
      fail('EROFS', `${root} is on a read-only file system: nothing was changed`, { path: root });
  }
  return fail('EACCES', `${root} may only be read by this user: nothing was changed`, { path: root });
}

/** The nearest existing directory above a path. */
function nearestDirectory(place: string): string {
  const above = path.dirname(path.resolve(place));
  return fs.existsSync(above) || above === path.dirname(above) ? above : nearestDirectory(above);
}

/** Makes the names in a directory durable, then those in each directory above it, up to `above`. */
function syncUpTo(root: string, above: string): void {
  for (let at = path.resolve(root); ; at = path.dirname(at)) {
    try {
      syncDirectory(at);
    } catch (error) {
      // The directory may be written but not read, or its file system cannot sync directories.
      if (!hasCode(error, 'EACCES', 'EINVAL', 'EPERM')) throw error;
    }
    if (at === above || at === path.dirname(at)) return;
  }
}

function isMachine(root: string): boolean {
  return fs.statSync(path.join(root, 'machine.json'), { throwIfNoEntry: false })?.isFile() ?? false;
}

/**
 * The mode of the lock and of memory files. A class of users that may only read the directory gets no permission: through the
 * lock it could keep writers out, and the memory has files whose own modes may be closed to it.
 */
function privateMode(directoryMode: number): number {
  let mode = 0;
  for (const shift of [6, 3, 0]) {
    const bits = (directoryMode >> shift) & 6;
    if ((bits & 2) !== 0) mode |= bits << shift;
  }
  return mode;
}
