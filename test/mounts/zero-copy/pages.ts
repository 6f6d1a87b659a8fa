/** What the model needs of an inode here. */
export interface PagedInode {
  readonly node: number;
  /** Pages of the device that were mapped through it, by page of the file. */
  readonly remembered: Map<number, number>;
}

/** Which inode has each page of the device. The kernel warns when a page gets a second one. */
export class Pages {
  readonly #warnings: string[];
  readonly #holders = new Map<number, { inode: PagedInode; filePage: number }>();

  constructor(warnings: string[]) {
    this.#warnings = warnings;
  }

  /** A page is touched through a mapping. */
  note(inode: PagedInode, filePage: number, devicePage: number): void {
    const before = inode.remembered.get(filePage);
    if (before !== undefined && before !== devicePage)
      this.#warnings.push(`inode ${inode.node} has another map, and remembers the pages of the old one`);
    const holder = this.#holders.get(devicePage);
    if (holder && !(holder.inode === inode && holder.filePage === filePage))
      this.#warnings.push(
        `page ${devicePage} is mapped by inodes ${holder.inode.node} and ${inode.node}: fs/dax.c`,
      );
    this.#holders.set(devicePage, { inode, filePage });
    inode.remembered.set(filePage, devicePage);
  }

  /** The inode is dropped, or invalidated. */
  forget(inode: PagedInode): void {
    for (const page of inode.remembered.values())
      if (this.#holders.get(page)?.inode === inode) this.#holders.delete(page);
    inode.remembered.clear();
  }
}
