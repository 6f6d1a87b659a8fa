/**
 * Records everything that is done to the files below a directory, in order. The calls that make, rename, remove and sync are
 * wrapped while a trace runs. Written bytes are found by looking at the files before each of these calls, whatever wrote them
 * (including system calls through koffi).
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { callerNow } from '../media/caller.js';
import type { Content, FileEvent, FileTrace } from './events.js';

const HEAD_BYTES = 2 ** 16;
type Call = (...words: unknown[]) => unknown;
const real = { ...fs };
// Node's rmSync keeps the calls that exist when it is first used. They must be the real ones.
fs.rmSync('/nonexistent/udax', { force: true });

function contentOf(file: string): Content {
  const fd = real.openSync(file, 'r');
  try {
    const { size, mode } = real.fstatSync(fd);
    const head = new Uint8Array(Math.min(size, HEAD_BYTES));
    real.readSync(fd, head, 0, head.length, 0);
    return content(size, mode & 0o7777, head);
  } finally {
    real.closeSync(fd);
  }
}

export function content(size: number, mode: number, head: Uint8Array): Content {
  return { size, mode, head, key: `${size}:${createHash('sha1').update(head).digest('hex').slice(0, 12)}` };
}

export class FileTracer {
  readonly #top: string;
  readonly #names = new Map<string, number | null>();
  readonly #contents = new Map<number, Content>();
  readonly #open = new Map<number, string | number>();
  #events: FileEvent[] = [];
  #files = 0;

  constructor(top: string) {
    this.#top = top;
  }

  /** Runs `act` and returns what it did. */
  run(act: (mark: () => void) => void): FileTrace {
    for (const entry of fs.readdirSync(this.#top, { recursive: true, encoding: 'utf8' }).sort()) {
      const isDirectory = fs.statSync(path.join(this.#top, entry)).isDirectory();
      this.#names.set(entry, isDirectory ? null : this.#newFile(entry));
    }
    const names = new Map(this.#names);
    const contents = new Map(this.#contents);
    this.#events = [];
    const restore = this.#wrapAll();
    try {
      act(() => {
        this.#look();
        this.#events.push({ kind: 'mark' });
      });
      this.#look();
    } finally {
      restore();
    }
    return { names, contents, events: this.#events };
  }

  #newFile(name: string): number {
    const file = this.#files++;
    this.#contents.set(file, contentOf(path.join(this.#top, name)));
    return file;
  }

  /** Records what was written since the last act. */
  #look(): void {
    for (const [name, file] of this.#names) {
      if (file === null) continue;
      const now = contentOf(path.join(this.#top, name));
      if (now.key === this.#contents.get(file)!.key) continue;
      this.#contents.set(file, now);
      this.#events.push({ kind: 'write', file, content: now, caller: callerNow() });
    }
  }

  #relative(name: unknown): string | null {
    if (typeof name !== 'string') return null;
    const relative = path.relative(this.#top, path.resolve(name));
    return relative === '' || relative.startsWith('..') ? null : relative;
  }

  #wrapAll(): () => void {
    const patched = fs as unknown as Record<string, Call>;
    const calls = this.#wrappedCalls(real as unknown as Record<string, Call>);
    Object.assign(patched, calls);
    syncBuiltinESMExports();
    return () => {
      for (const name of Object.keys(calls)) patched[name] = (real as unknown as Record<string, Call>)[name]!;
      syncBuiltinESMExports();
    };
  }

  #wrappedCalls(original: Record<string, Call>): Record<string, Call> {
    const remove =
      (call: Call) =>
      (name: unknown, ...more: unknown[]) =>
        this.#removed(name, () => call(name, ...more));
    return {
      openSync: (name, ...more) => this.#opened(name, () => original.openSync!(name, ...more) as number),
      closeSync: (fd) => {
        this.#open.delete(fd as number);
        return original.closeSync!(fd);
      },
      fsyncSync: (fd) => {
        this.#synced(fd as number);
        return original.fsyncSync!(fd);
      },
      mkdirSync: (name, ...more) => this.#madeDirectory(name, () => original.mkdirSync!(name, ...more)),
      renameSync: (from, to) => {
        this.#look();
        const result = original.renameSync!(from, to);
        this.#renamed(this.#relative(from), this.#relative(to));
        return result;
      },
      rmSync: remove(original.rmSync!),
      unlinkSync: remove(original.unlinkSync!),
    };
  }

  #madeDirectory(name: unknown, make: () => unknown): unknown {
    this.#look();
    const result = make();
    const relative = this.#relative(name);
    if (relative !== null && !this.#names.has(relative)) {
      this.#names.set(relative, null);
      this.#events.push({ kind: 'make-directory', path: relative, caller: callerNow() });
    }
    return result;
  }

  #removed(name: unknown, remove: () => unknown): unknown {
    this.#look();
    const result = remove();
    const relative = this.#relative(name);
    if (relative !== null && this.#names.delete(relative)) {
      this.#events.push({ kind: 'remove', path: relative, caller: callerNow() });
    }
    return result;
  }

  #opened(name: unknown, open: () => number): number {
    const relative = this.#relative(name);
    if (relative === null) {
      const fd = open();
      if (typeof name === 'string' && path.resolve(name) === this.#top) this.#open.set(fd, '');
      return fd;
    }
    this.#look();
    const fd = open();
    if (!this.#names.has(relative)) {
      const file = this.#newFile(relative);
      this.#names.set(relative, file);
      this.#events.push({ kind: 'make', path: relative, file, caller: callerNow() });
    }
    this.#open.set(fd, this.#names.get(relative) ?? relative);
    return fd;
  }

  #synced(fd: number): void {
    const what = this.#open.get(fd);
    if (what === undefined) return;
    this.#look();
    if (typeof what === 'string')
      this.#events.push({ kind: 'sync-directory', path: what, caller: callerNow() });
    else this.#events.push({ kind: 'sync', path: this.#nameOf(what), file: what, caller: callerNow() });
  }

  #nameOf(file: number): string {
    for (const [name, id] of this.#names) if (id === file) return name;
    return 'a file without a name';
  }

  #renamed(from: string | null, to: string | null): void {
    if (from === null || to === null) return;
    const file = this.#names.get(from);
    if (file === undefined) return;
    this.#names.delete(from);
    this.#names.set(to, file);
    this.#events.push({ kind: 'rename', path: from, to, caller: callerNow() });
  }
}
