import type { NameMove } from '../../famfs/index.js';
import type { NodeId } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import type { Making } from './making.js';
import type { Names } from './names.js';
import type { NewName } from './new-files.js';

/** A name in a directory that the kernel knows. */
export interface NamePlace {
  readonly parent: NodeId;
  readonly name: string;
}

/**
 * Gives what is in the making another name (rename(2)). The volume does not name it yet, so nothing is taken back: the name that is
 * kept for it moves, and the names of all that is in it. What had the new name is replaced when it is in the making too.
 */
export class Renaming {
  readonly #names: Names;
  readonly #making: Making;

  constructor(names: Names, making: Making) {
    this.#names = names;
    this.#making = making;
  }

  /**
   * @param from the name that moves
   * @param replaced what has the name now, in the making too
   * @param mayReplace whether something published may have the name: it loses it when this is published
   * @throws DaxError EISDIR, ENOTDIR, ENOTEMPTY as rename(2); ENAMETOOLONG, EINVAL for the name; EBUSY it is in the making elsewhere
   */
  rename(from: NewName, to: NamePlace, replaced: NewName | undefined, mayReplace: boolean): void {
    if (replaced) this.#mustBeReplaceable(from, replaced);
    const moves = this.#beginMoves(from, to, replaced, mayReplace);
    for (const move of moves) move.commit();
    if (replaced) this.#making.removeName(replaced);
    this.#names.newFiles.moved(from, this.#names.directory(to.parent), to.name);
    this.#names.attributes.changed(from.made.node);
  }

  #mustBeReplaceable({ made }: NewName, { made: replaced }: NewName): void {
    const path = this.#names.pathOf(replaced.node as NodeId);
    if (made.kind !== 'directory' && replaced.kind === 'directory')
      fail('EISDIR', `${path} is a directory`, { path });
    if (made.kind === 'directory' && replaced.kind !== 'directory')
      fail('ENOTDIR', `${path} is a file, a directory cannot take its name`, { path });
    if (replaced.kind === 'directory') this.#making.mustBeEmpty(replaced);
  }

  /** Keeps all new names, or none. */
  #beginMoves(
    from: NewName,
    { parent, name }: NamePlace,
    replaced: NewName | undefined,
    mayReplace: boolean,
  ): NameMove[] {
    const place = this.#making.placeIn(parent, name);
    const moves = [from.kept.beginMove(place, replaced?.kept, mayReplace)];
    if (from.made.kind !== 'directory') return moves;
    try {
      for (const inside of this.#names.newFiles.below(from.made)) moves.push(inside.kept.beginFollow());
      return moves;
    } catch (error) {
      for (const move of moves.reverse()) move.undo();
      throw error;
    }
  }
}
