/**
 * What a disk may contain after a crash. POSIX guarantees no more than this, and some file systems keep no more:
 *
 * kill: everything that was done is there, since the kernel lives. The last write may be half done.
 * power: a change of names is durable once its directory was synced after it. Until then it may or may not be there,
 * independently of others. A file's bytes are durable once the file was synced. Until then the file may have any earlier content,
 * half of the new content, or zeroes of its length. Syncing a file does not make its name durable in any directory.
 */
import path from 'node:path';
import type { Content, FileTrace, NameEvent, SyncEvent, WriteEvent } from './events.js';
import { content } from './trace-files.js';

/** Files by name; null for directories. */
export type DiskImage = ReadonlyMap<string, Content | null>;

const EMPTY = content(0, 0o600, new Uint8Array());
const MOST_CHANGES = 8;
const MOST_CONTENTS = 64;

interface File {
  /** Oldest first. Versions before the last synced one are dropped. */
  versions: Content[];
}

export class Disk {
  #names: Map<string, number | null>;
  #pending: NameEvent[] = [];
  readonly #files = new Map<number, File>();

  constructor({ names, contents }: FileTrace) {
    this.#names = new Map(names);
    for (const [file, known] of contents) this.#files.set(file, { versions: [known] });
  }

  changeName(event: NameEvent): void {
    this.#pending.push(event);
    if (event.file !== undefined) this.#files.set(event.file, { versions: [EMPTY] });
  }

  write({ file, content: written }: WriteEvent): void {
    this.#files.get(file)!.versions.push(written);
  }

  sync(event: SyncEvent): void {
    if (event.kind === 'sync') {
      const file = this.#files.get(event.file!)!;
      file.versions = file.versions.slice(-1);
      return;
    }
    const isInIt = ({ path: name }: NameEvent) =>
      path.dirname(name) === (event.path === '' ? '.' : event.path);
    for (const change of this.#pending.filter(isInIt)) apply(this.#names, change);
    this.#pending = this.#pending.filter((change) => !isInIt(change));
  }

  /** The disk as programs see it now. */
  get now(): DiskImage {
    return this.#image(this.#pending, (file) => file.versions.at(-1)!);
  }

  /** The disk with the last write half done. */
  tornNow({ file, content: written }: WriteEvent): DiskImage {
    return this.#image(this.#pending, (each) =>
      each === this.#files.get(file) ? half(written) : each.versions.at(-1)!,
    );
  }

  /** Calls `check` for every possible disk after a power cut. @returns false when there were too many for all */
  afterPowerCut(
    random: () => number,
    samples: number,
    check: (image: DiskImage, lost: string) => void,
  ): boolean {
    const count = this.#pending.length;
    const isWhole = count <= MOST_CHANGES;
    const choices = isWhole ? 2 ** count : samples;
    for (let choice = 0; choice < choices; choice++) {
      const kept = this.#pending.filter((_, i) => (isWhole ? (choice & (1 << i)) !== 0 : random() < 0.5));
      const names = this.#pending.filter((change) => !kept.includes(change)).map(nameOfChange);
      this.#everyContent(kept, random, (image, contents) =>
        check(image, [...names, ...contents].join(', ') || 'nothing'),
      );
    }
    return isWhole;
  }

  #everyContent(
    kept: readonly NameEvent[],
    random: () => number,
    check: (image: DiskImage, lost: string[]) => void,
  ): void {
    const names = this.#namesAfter(kept);
    const used = [...new Set([...names.values()].filter((file) => file !== null))];
    const unsure = used.filter((file) => this.#files.get(file)!.versions.length > 1);
    const choices = unsure.map((file) => variants(this.#files.get(file)!));
    const total = choices.reduce((product, { length }) => product * length, 1);
    for (let n = 0; n < Math.min(total, MOST_CONTENTS); n++) {
      let rest = total <= MOST_CONTENTS ? n : Math.floor(random() * total);
      const chosen = new Map<File, Content>();
      const lost: string[] = [];
      for (const [i, file] of unsure.entries()) {
        const list = choices[i]!;
        const known = this.#files.get(file)!;
        const picked = list[rest % list.length]!;
        rest = Math.floor(rest / list.length);
        chosen.set(known, picked);
        if (picked !== known.versions.at(-1))
          lost.push(`${[...names].find(([, id]) => id === file)![0]} has ${picked.size} bytes of before`);
      }
      check(
        this.#image(kept, (file) => chosen.get(file) ?? file.versions.at(-1)!),
        lost,
      );
    }
  }

  #namesAfter(changes: readonly NameEvent[]): Map<string, number | null> {
    const names = new Map(this.#names);
    for (const change of changes) apply(names, change);
    // Without a directory there is nothing in it.
    for (const name of [...names.keys()]) {
      for (let above = path.dirname(name); above !== '.'; above = path.dirname(above)) {
        if (names.get(above) !== null) names.delete(name);
      }
    }
    return names;
  }

  #image(changes: readonly NameEvent[], contentOf: (file: File) => Content): DiskImage {
    const image = new Map<string, Content | null>();
    for (const [name, file] of this.#namesAfter(changes)) {
      image.set(name, file === null ? null : contentOf(this.#files.get(file)!));
    }
    return image;
  }
}

function apply(names: Map<string, number | null>, { kind, path: name, to, file }: NameEvent): void {
  if (kind === 'make') names.set(name, file!);
  else if (kind === 'make-directory') names.set(name, null);
  else if (kind === 'remove') names.delete(name);
  else {
    const moved = names.get(name);
    if (moved === undefined) return;
    names.delete(name);
    names.set(to!, moved);
  }
}

function nameOfChange({ kind, path: name, to }: NameEvent): string {
  return kind === 'rename' ? `rename of ${name} to ${to}` : `${kind.replace('-', ' ')} ${name}`;
}

function variants({ versions }: File): Content[] {
  const last = versions.at(-1)!;
  return [...versions, half(last), content(last.size, last.mode, new Uint8Array(last.head.length))];
}

function half({ size, mode, head }: Content): Content {
  return content(Math.floor(size / 2), mode, head.subarray(0, Math.floor(size / 2)));
}

/** Equal for equal disks. */
export function keyOfImage(image: DiskImage): string {
  return [...image]
    .map(([name, held]) => `${name}=${held?.key ?? '/'}`)
    .sort()
    .join('\n');
}
