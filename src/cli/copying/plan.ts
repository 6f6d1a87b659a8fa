import { DaxError, fail } from '../../libc/index.js';
import type { Place, PlaceStat } from './place.js';

/** One step of a copy. Steps are done in order. */
export type Step =
  | { kind: 'directory'; to: string; mode: number }
  | {
      kind: 'file';
      from: Place;
      source: string;
      to: string;
      /**
       * True when the user typed the name of the copy. Else the name comes from the source, whose maker must not choose where a
       * link of that name leads.
       */
      isNamed: boolean;
      mode: number;
      size: number;
    }
  | { kind: 'stream'; source: string; to: string; mode: number }
  | { kind: 'skip'; name: string; why: string; code: string };

export interface Source {
  place: Place;
  path: string;
  /** The source as typed. Its last component names the copy. */
  text: string;
}

/**
 * Plans the copy of one source, before anything is done: each directory comes before its content. The destination follows scp's
 * rule: `destination/basename` when the destination is a directory, else the destination itself. A source `.` or ending in `/.`
 * means its content.
 */
export function planSource(source: Source, target: Place, destination: string, recursive: boolean): Step[] {
  const stat = source.place.stat(source.path);
  const name = source.place.name(source.path);
  if (stat === null) return [{ kind: 'skip', name, why: 'no such file or directory', code: 'ENOENT' }];
  const existing = target.stat(destination);
  const basename = basenameOf(source.text);
  const to =
    existing?.type === 'directory' && basename !== '' ? target.child(destination, basename) : destination;
  if (stat.type !== 'directory') {
    mustBeDirectoryIfSlashed(target, destination, existing);
    if (stat.type === 'stream') return [streamStep(source, to)];
    return [fileStep(source, source.path, { to, isNamed: to === destination }, stat)];
  }
  if (!recursive) {
    return [
      { kind: 'skip', name, why: 'is a directory: say -r to copy it with what is in it', code: 'EISDIR' },
    ];
  }
  return planTree(source, stat, target, { to, isNamed: to === destination });
}

/** Copies a pipe that the user named. A pipe inside a tree is skipped instead, because nobody may ever write to it. */
function streamStep(source: Source, to: string): Step {
  if (!/\/(-|stdin)$/.test(to)) {
    return { kind: 'stream', source: source.path, to, mode: 0o644 & ~process.umask() };
  }
  const why = 'what comes from standard input needs a name: give that of the file';
  return { kind: 'skip', name: source.place.name(source.path), why, code: 'EISDIR' };
}

/** `cp F dir/` requires a directory: a file made under that name could never be removed. */
function mustBeDirectoryIfSlashed(target: Place, destination: string, existing: PlaceStat | null): void {
  if (!destination.endsWith('/') || existing?.type === 'directory') return;
  const what = existing === null ? 'is not there' : 'is no directory';
  fail('ENOTDIR', `${target.name(destination)} ${what}: make the directory first, or leave the last / out`, {
    path: destination,
  });
}

/** The name of the copy inside a directory; empty for `.`, `/` and the like, which mean their content. */
function basenameOf(text: string): string {
  const path = text.replace(/\/+$/, '');
  const last = path.slice(path.lastIndexOf('/') + 1);
  const name = last.endsWith(':') ? '' : last;
  return name === '.' || name === '..' ? '' : name;
}

/** The destination of a copy. */
type Goal = Pick<Step & { kind: 'file' }, 'to' | 'isNamed'>;

function planTree(source: Source, root: PlaceStat, target: Place, destination: Goal): Step[] {
  const steps: Step[] = [];
  const visit = (path: string, stat: PlaceStat, goal: Goal, above: readonly string[]): void => {
    const { to } = goal;
    if (stat.type !== 'directory') {
      steps.push(fileStep(source, path, goal, stat));
      return;
    }
    const name = source.place.name(path);
    if (above.includes(stat.identity)) {
      steps.push({ kind: 'skip', name, why: 'a link to a directory that contains it', code: 'ELOOP' });
      return;
    }
    const there = attemptStat(target, goal);
    if (there instanceof DaxError) {
      steps.push({ kind: 'skip', name, why: there.message, code: there.code });
      return;
    }
    if (there === null) steps.push({ kind: 'directory', to, mode: stat.mode });
    else if (there.type !== 'directory') {
      const why = `${target.name(to)} is there and is no directory`;
      steps.push({ kind: 'skip', name, why, code: 'ENOTDIR' });
      return;
    }
    for (const entry of source.place.list(path)) {
      const child = source.place.child(path, entry);
      const childStat = source.place.stat(child);
      // The entry may have been removed since it was listed. The copy goes on without it.
      const inside: Goal = { to: target.child(to, entry), isNamed: false };
      if (childStat !== null) visit(child, childStat, inside, [...above, stat.identity]);
    }
  };
  visit(source.path, root, destination, []);
  return steps;
}

/** What is at a directory's destination, or why that side cannot have the name (too long, for example). */
function attemptStat(target: Place, { to, isNamed }: Goal): PlaceStat | null | DaxError {
  try {
    return isNamed ? target.stat(to) : target.statOfCopy(to);
  } catch (error) {
    if (error instanceof DaxError) return error;
    throw error;
  }
}

function fileStep(source: Source, path: string, { to, isNamed }: Goal, stat: PlaceStat): Step {
  const name = source.place.name(path);
  if (stat.type === 'other' || stat.type === 'stream') {
    return { kind: 'skip', name, why: 'neither a regular file nor a directory', code: 'EINVAL' };
  }
  return { kind: 'file', from: source.place, source: path, to, isNamed, mode: stat.mode, size: stat.size };
}
