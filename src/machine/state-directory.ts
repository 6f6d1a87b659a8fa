import fs from 'node:fs';
import path from 'node:path';
import { asDaxError, fail, hasCode, makeDirectories } from '../libc/index.js';
import { GenerationWord } from './generation.js';
import { MachineLock } from './lock.js';

const SUBDIRECTORIES = ['regions', 'holders', 'volumes'];

/**
 * The files of one machine (decision 6). Knows names, modes, the lock, the generation word and how a
 * document gets written so that a kill at any instruction leaves the old or the new one; knows nothing of what is in it.
 *
 *     machine.json   the document          machine.lock   exclusive to change, shared to read
 *     generation     mapped by the living  holders/ regions/ volumes/
 */
export class StateDirectory {
  readonly holdersPath: string;
  readonly regionsPath: string;
  readonly volumesPath: string;
  readonly documentPath: string;

  private constructor(
    readonly root: string,
    private readonly directoryMode: number,
    private readonly lock: MachineLock,
    private readonly generation: GenerationWord,
  ) {
    this.holdersPath = path.join(root, 'holders');
    this.regionsPath = path.join(root, 'regions');
    this.volumesPath = path.join(root, 'volumes');
    this.documentPath = path.join(root, 'machine.json');
  }

  /**
   * Opens a state directory; makes it when there is none.
   * @param firstDocument text of machine.json for a new machine, generation 1
   * @throws EACCES, EROFS ... naming the directory when it cannot be made or read
   */
  static open(root: string, firstDocument: () => string): StateDirectory {
    try {
      return StateDirectory.openExisting(root) ?? StateDirectory.make(root, firstDocument);
    } catch (error) {
      throw asDaxError(
        error,
        `state directory ${root} cannot be opened (choose another with --root or UDAX_ROOT)`,
      );
    }
  }

  private static openExisting(root: string): StateDirectory | undefined {
    try {
      const mode = fs.statSync(root).mode & 0o7777;
      const lock = MachineLock.open(path.join(root, 'machine.lock'));
      try {
        fs.accessSync(path.join(root, 'machine.json'));
        const generation = GenerationWord.open(path.join(root, 'generation'), { writable: lock.writable });
        return new StateDirectory(root, mode, lock, generation);
      } catch (error) {
        lock.close();
        throw error;
      }
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Makes what is missing. Several processes may be here at once: the lock file decides who is first. */
  private static make(root: string, firstDocument: () => string): StateDirectory {
    makeDirectories(root, 0o700);
    const mode = fs.statSync(root).mode & 0o7777;
    const fileMode = mode & 0o666;
    const lock = MachineLock.open(path.join(root, 'machine.lock'), fileMode);
    try {
      if (!lock.writable)
        fail('EACCES', `${root} holds no machine yet and may only be read by this user`, { path: root });
      lock.take('exclusive');
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
    return this.lock.writable;
  }

  /** The lock-free question every call asks: has the word moved from this one? One load. */
  get generationLow(): number {
    return this.generation.low;
  }

  get fileMode(): number {
    return this.directoryMode & 0o666;
  }

  /** Runs `work` under the lock. Not recursive. @throws EACCES for a change of a directory we may only read */
  underLock<T>(kind: 'shared' | 'exclusive', work: () => T): T {
    if (kind === 'exclusive' && !this.writable) {
      fail('EACCES', `${this.root} may only be read by this user: nothing was changed`, { path: this.root });
    }
    this.lock.take(kind);
    try {
      return work();
    } finally {
      this.lock.release();
    }
  }

  /** machine.json as it is now, and which file that is (a rename makes another). Under the lock. */
  read(): { text: string; identity: string } {
    const fd = fs.openSync(this.documentPath, 'r');
    try {
      const stat = fs.fstatSync(fd);
      return { text: fs.readFileSync(fd, 'utf8'), identity: identityOf(stat) };
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Changes with every write of machine.json, also one whose writer died before its bump. Under the lock. */
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
    const draft = `${this.documentPath}.new`;
    try {
      const fd = fs.openSync(draft, 'w', this.fileMode);
      try {
        fs.writeFileSync(fd, text);
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      fs.renameSync(draft, this.documentPath);
    } catch (error) {
      fs.rmSync(draft, { force: true });
      throw asDaxError(
        error,
        `writing ${this.documentPath} failed, the machine stays as it was`,
        this.documentPath,
      );
    }
    this.generation.value = generation;
    syncDirectory(this.root);
    return this.documentIdentity();
  }

  /** Lets the word say what machine.json says, after a writer died between the two. Under any lock. */
  repairGeneration(generation: number): void {
    if (this.generation.writable && this.generation.value !== generation) this.generation.value = generation;
  }

  close(): void {
    this.generation.close();
    this.lock.close();
  }
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
