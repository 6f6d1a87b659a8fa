import type { NameMove } from '../../famfs/index.js';
import type { NodeId } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import type { Making } from './making.js';
import type { Names } from './names.js';
import type { NewNode } from './new-files.js';

/** A name in a directory that the kernel knows. */
export interface NamePlace {
  readonly parent: NodeId;
  readonly name: string;
}

/**
 * Gives a file or directory in the making another name (rename(2)). The log does not name it yet, so nothing is taken back: the
 * name that is kept for it moves, and the names of all that is in it. What had the new name is replaced when it is in the making too.
 */
export class Renaming {
  readonly #names: Names;
  readonly #making: Making;

  constructor(names: Names, making: Making) {
    this.#names = names;
    this.#making = making;
  }

  /**
   * @param made what is renamed
   * @param replaced what has the name now
   * @throws DaxError EISDIR, ENOTDIR, ENOTEMPTY as rename(2); EEXIST, ENAMETOOLONG, EINVAL for the name; EBUSY it is in the making elsewhere
   */
  rename(made: NewNode, to: NamePlace, replaced: NewNode | undefined): void {
    if (replaced) this.#mustBeReplaceable(made, replaced);
    const moves = this.#beginMoves(made, to, replaced);
    for (const move of moves) move.commit();
    if (replaced?.kind === 'file') this.#making.removeFile(replaced);
    else if (replaced) this.#making.removeDirectory(replaced);
    this.#names.newFiles.moved(made, this.#names.directory(to.parent), to.name);
    this.#names.attributes.changed(made.node);
  }

  #mustBeReplaceable(made: NewNode, replaced: NewNode): void {
    const path = this.#names.pathOf(replaced.node as NodeId);
    if (made.kind === 'file' && replaced.kind === 'directory')
      fail('EISDIR', `${path} is a directory`, { path });
    if (made.kind === 'directory' && replaced.kind === 'file')
      fail('ENOTDIR', `${path} is a file, a directory cannot take its name`, { path });
    if (replaced.kind === 'directory') this.#making.mustBeEmpty(replaced);
  }

  /** Keeps all new names, or none. */
  #beginMoves(made: NewNode, { parent, name }: NamePlace, replaced: NewNode | undefined): NameMove[] {
    const place = this.#names.placeIn(parent, name);
    const moves = [made.growing.name.beginMove(place, replaced?.growing.name)];
    if (made.kind === 'file') return moves;
    try {
      for (const inside of this.#names.newFiles.below(made)) moves.push(inside.growing.name.beginFollow());
      return moves;
    } catch (error) {
      for (const move of moves.reverse()) move.undo();
      throw error;
    }
  }
}
