import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DaxError, type Volume } from '../../../src/index.js';

/** The interface that behaviours use: a file system whose failures are errno names. Paths begin with a slash. */
export interface Face {
  /** Makes a file with these bytes (latin1) at a position. */
  write(path: string, text: string, options?: { position?: number; mode?: number }): void;
  /** Writes into an existing file. */
  overwrite(path: string, text: string, position: number): void;
  read(path: string, position?: number, length?: number): string;
  stat(path: string): { size: number; mode: number; type: string };
  mkdir(path: string, mode?: number): void;
  readdir(path: string): string[];
}

/** A face with operations that only directories of a host have. */
export interface DirectoryFace extends Face {
  run(op: string, args: Record<string, unknown>): unknown;
}

export class Refused extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

/** The errno name that a call fails with, or 'none'. */
export function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof Refused || error instanceof DaxError) return error.code;
    throw error;
  }
  return 'none';
}

/** The library: direct calls of a volume. */
export function libraryFace(volume: Volume): Face {
  return {
    write(path, text, { position = 0, mode } = {}) {
      const size = position + text.length;
      const file = volume.create(path, { size, ...(mode !== undefined && { mode }) });
      file.write(Buffer.from(text, 'latin1'), position);
      file.close();
    },
    overwrite(path, text, position) {
      const file = volume.open(path, { writable: true });
      try {
        file.write(Buffer.from(text, 'latin1'), position);
      } finally {
        file.close();
      }
    },
    read(path, position = 0, length = 1 << 20) {
      const file = volume.open(path);
      try {
        const into = Buffer.alloc(length);
        return into.toString('latin1', 0, file.read(into, position));
      } finally {
        file.close();
      }
    },
    stat(path) {
      const { size, mode, type } = volume.stat(path);
      return { size, mode, type };
    },
    mkdir: (path, mode) => volume.mkdir(path, mode === undefined ? {} : { mode }),
    readdir: (path) => volume.readdir(path),
  };
}

const agent = join(import.meta.dirname, 'agent.mjs');

/** Performs one operation of agent.mjs. */
export type Perform = (words: { op: string; args: Record<string, unknown> }) => {
  value?: unknown;
  code?: string;
};

/** Performs it in a child process with a time limit. */
const inOwnProcess: Perform = (words) => {
  const child = spawnSync('timeout', ['10', process.execPath, agent, JSON.stringify(words)], {
    encoding: 'utf8',
  });
  if (child.status !== 0)
    throw new Error(`${words.op} ${words.args.path}: exit ${child.status} ${child.stderr}`);
  return JSON.parse(child.stdout);
};

/** A directory of this host, or of another one that `perform` reaches. */
export function directoryFace(root: string, perform: Perform = inOwnProcess): DirectoryFace {
  const run = (op: string, args: Record<string, unknown>): unknown => {
    const there = (path: unknown) => (typeof path === 'string' ? root + path : path);
    const answer = perform({
      op,
      args: { ...args, path: there(args.path), ...(args.to ? { to: there(args.to) } : {}) },
    });
    if (answer.code !== undefined) throw new Refused(answer.code);
    return answer.value;
  };
  return {
    run,
    write: (path, text, options = {}) => void run('write', { path, text, ...options }),
    overwrite: (path, text, position) => void run('write', { path, text, position, flags: 'r+' }),
    read: (path, position, length) => run('read', { path, position, length }) as string,
    stat: (path) => run('stat', { path }) as ReturnType<Face['stat']>,
    mkdir: (path, mode) => void run('mkdir', { path, mode }),
    readdir: (path) => run('readdir', { path }) as string[],
  };
}
