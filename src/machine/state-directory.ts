import fs from 'node:fs';
import path from 'node:path';
import { asDaxError, fail, hasCode, type LockPatience, makeDirectories } from '../libc/index.js';
import { GenerationWord } from './generation.js';
import { changersOnly, MachineLock } from './lock.js';
import { keepSpareDraft, writeDraft } from './spare-draft.js';

const SUBDIRECTORIES = ['regions', 'holders', 'volumes'];

/**
 * The files of one machine (decision 6). Knows names, modes, the lock, the generation word and how a
 * document gets written so that a kill at any instruction leaves the old or the new one; knows nothing of what is in it.
 *
 *     machine.json   the document          machine.lock   had by who changes it; readers need no lock, and may not have it
 *     generation     mapped by the living  holders/ regions/ volumes/
 *     machine.json.spare   space for the next document, so that a machine on a full disk can still be changed
 */
export class StateDirectory {
  readonly holdersPath: string;
  readonly regionsPath: string;
  readonly volumesPath: string;
  readonly documentPath: string;
  /** Equal for two names of one directory, different for two directories. */
  readonly identity: string;

  private constructor(
    readonly root: string,
    private readonly directoryMode: number,
    /** Of a user who may change the machine. */
    private readonly lock: MachineLock | undefined,
    private readonly generation: GenerationWord,
  ) {
    const { dev, ino } = fs.statSync(root);
    this.identity = `${dev}:${ino}`;
    this.holdersPath = path.join(root, 'holders');
    this.regionsPath = path.join(root, 'regions');
    this.volumesPath = path.join(root, 'volumes');
    this.documentPath = path.join(root, 'machine.json');
  }

  /**
   * Opens a state directory; makes it when there is none and `create` says so. What is missing of one that is there is made again.
   * @param firstDocument text of machine.json for a new machine, generation 1
   * @throws ENOENT there is none; EACCES, EROFS ... naming the directory when it cannot be made or read
   */
  static open(
    root: string,
    firstDocument: () => string,
    { create, patience = {} }: { create: boolean; patience?: LockPatience },
  ): StateDirectory {
    try {
      const existing = StateDirectory.openExisting(root, patience);
      if (existing) return existing;
      if (!create && !isMachine(root)) {
        fail(
          'ENOENT',
          `there is no machine at ${root}: make one with openMachine(${JSON.stringify(root)}, { create: true }), ` +
            'openVolume() or udax create-region, or name another directory',
          { path: root },
        );
      }
      return StateDirectory.make(root, firstDocument, patience);
    } catch (error) {
      throw asDaxError(
        error,
        `state directory ${root} cannot be opened (choose another with --root or UDAX_ROOT)`,
      );
    }
  }

  private static openExisting(root: string, patience: LockPatience): StateDirectory | undefined {
    try {
      const mode = fs.statSync(root).mode & 0o7777;
      const lock = MachineLock.openIfAllowed(path.join(root, 'machine.lock'), patience);
      try {
        lock?.restrict(mode);
        fs.accessSync(path.join(root, 'machine.json'));
        const generation = GenerationWord.open(path.join(root, 'generation'), { writable: lock !== undefined });
        return new StateDirectory(root, mode, lock, generation);
      } catch (error) {
        lock?.close();
        throw error;
      }
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Makes what is missing. Several processes may be here at once: the lock file decides who is first. */
  private static make(root: string, firstDocument: () => string, patience: LockPatience): StateDirectory {
    makeDirectories(root, 0o700);
    const mode = fs.statSync(root).mode & 0o7777;
    const fileMode = mode & 0o666;
    const lock = MachineLock.open(path.join(root, 'machine.lock'), { mode: changersOnly(mode), patience });
    try {
      lock.restrict(mode);
      lock.take();
      try {
        for (const name of SUBDIRECTORIES) makeDirectories(path.join(root, name), mode);
        GenerationWord.ensure(path.join(root, 'generation'), fileMode);
        return StateDirectory.withDocument(root, mode, lock, firstDocument);
      } finally {
        lock.release();
      }
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /** Writes the first document unless somebody else just did. Under the exclusive lock. */
  private static withDocument(
    root: string,
    mode: number,
    lock: MachineLock,
    firstDocument: () => string,
  ): StateDirectory {
    const generation = GenerationWord.open(path.join(root, 'generation'), { writable: true });
    try {
      const directory = new StateDirectory(root, mode, lock, generation);
      if (!fs.existsSync(directory.documentPath)) directory.publish(firstDocument(), 1);
      return directory;
    } catch (error) {
      generation.close();
      throw error;
    }
  }

  get writable(): boolean {
    return this.lock !== undefined;
  }

  /** The lock-free question every call asks: has the word moved from this one? One load. */
  get generationLow(): number {
    return this.generation.low;
  }

  get fileMode(): number {
    return this.directoryMode & 0o666;
  }

  /** Runs `work` under the lock. Not recursive. @throws EACCES for a change of a directory we may only read */
  underLock<T>(work: () => T): T {
    const { lock } = this;
    if (!lock) {
      return fail('EACCES', `${this.root} may only be read by this user: nothing was changed`, {
        path: this.root,
      });
    }
    lock.take();
    try {
      return work();
    } finally {
      lock.release();
    }
  }

  /** machine.json as it is now, and which file that is (a rename makes another). Whole without a lock. */
  read(): { text: string; identity: string } {
    const fd = fs.openSync(this.documentPath, 'r');
    try {
      const stat = fs.fstatSync(fd);
      return { text: fs.readFileSync(fd, 'utf8'), identity: identityOf(stat) };
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Changes with every write of machine.json, also one whose writer died before its bump. */
  documentIdentity(): string {
    return identityOf(fs.statSync(this.documentPath));
  }

  /**
   * Writes a new document and then bumps the generation word. Under the exclusive lock.
   * The new text is on the disk before its name is; a kill before the rename changes nothing, one
   * after it is completed by whoever locks next (repairGeneration).
   * @returns the identity of the file now in place
   */
  publish(text: string, generation: number): string {
    try {
      fs.renameSync(writeDraft(this.documentPath, text, this.fileMode), this.documentPath);
    } catch (error) {
      throw asDaxError(
        error,
        `writing ${this.documentPath} failed, the machine stays as it was`,
        this.documentPath,
      );
    }
    this.generation.value = generation;
    syncDirectory(this.root);
    keepSpareDraft(this.documentPath, text.length, this.fileMode);
    return this.documentIdentity();
  }

  /**
   * Has the word say what a document says that was just read, if its writer died between the two. One that still
   * writes has the lock, and does it himself.
   * @param low the word before it was read
   * @param identity of the document
   * @returns the word that goes with it
   */
  mended(generation: number, low: number, identity: string): number {
    if (generation >>> 0 === low) return low;
    let mended = low;
    this.lock?.tryFor(() => {
      if (this.generation.low !== low || this.documentIdentity() !== identity) return;
      this.repairGeneration(generation);
      mended = this.generation.low;
    });
    return mended;
  }

  /** Lets the word say what machine.json says, after a writer died between the two. Under the lock. */
  repairGeneration(generation: number): void {
    if (this.generation.writable && this.generation.value !== generation) this.generation.value = generation;
  }

  close(): void {
    this.generation.close();
    this.lock?.close();
  }
}

function isMachine(root: string): boolean {
  return fs.statSync(path.join(root, 'machine.json'), { throwIfNoEntry: false })?.isFile() ?? false;
}

function identityOf(stat: fs.Stats): string {
  return `${stat.ino}:${stat.mtimeMs}:${stat.size}`;
}

function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
