/** The resources of a process and the files of a directory, as lists that can be compared. */
import fs from 'node:fs';
import path from 'node:path';

export interface Traces {
  descriptors: string[];
  mappings: string[];
  locks: string[];
  children: string[];
  mounts: string[];
  files: string[];
}

/** The traces of a world. Names below `directory` (the world's) are shown relative to it. Only mappings of files count. */
export function tracesOf(directory: string): Traces {
  const relative = (text: string) => nameless(text.replaceAll(directory, 'WORLD'));
  return {
    descriptors: descriptors().map(relative).sort(),
    mappings: fileMappings().map(relative).sort(),
    locks: locksOn(directory).map(relative).sort(),
    children: children(),
    mounts: fs
      .readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(directory))
      .map((line) => relative(line.split(' ')[4]!)),
    files: filesIn(directory),
  };
}

/** Replaces names that differ between runs: those of holder files, uuids, and the slots that devices lock. */
function nameless(text: string): string {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'UUID')
    .replace(/holders\/[^ ]+/, 'holders/HOLDER')
    .replace(/ 46\d{17}\.\.46\d{17}/, ' SLOT');
}

function descriptors(): string[] {
  const found: string[] = [];
  for (const fd of fs.readdirSync('/proc/self/fd')) {
    try {
      const target = fs.readlinkSync(`/proc/self/fd/${fd}`);
      if (!/^\/proc\/\d+\/fd$/.test(target)) found.push(target.replace(/^(pipe|socket|anon_inode):.*/, '$1'));
    } catch {
      // The descriptor that read the directory.
    }
  }
  return found;
}

function fileMappings(): string[] {
  const found: string[] = [];
  for (const line of fs.readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const name = line.slice(73);
    if (name.includes('/udax-faults-') || name.startsWith('/memfd:')) found.push(name);
  }
  return found;
}

/** Open file description locks have no pid in /proc/locks, so they are found by the inodes of the directory's files. */
function locksOn(directory: string): string[] {
  const names = new Map<string, string>();
  for (const name of filesIn(directory)) {
    const stat = fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false });
    if (stat) names.set(String(stat.ino), name);
  }
  const found: string[] = [];
  for (const line of fs.readFileSync('/proc/locks', 'utf8').split('\n')) {
    const words = line.trim().split(/\s+/);
    const [, , , access, , place = ''] = words;
    const name = names.get(place.split(':')[2] ?? '');
    if (name !== undefined) found.push(`${access} ${name} ${words[6]}..${words[7]}`);
  }
  return found;
}

function children(): string[] {
  return fs
    .readdirSync('/proc/self/task')
    .flatMap((task) => {
      try {
        return fs.readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim().split(' ');
      } catch {
        return [];
      }
    })
    .filter((pid) => pid !== '');
}

function filesIn(directory: string): string[] {
  const list = (below: string): string[] =>
    fs.readdirSync(path.join(directory, below), { withFileTypes: true }).flatMap((entry) => {
      const name = path.join(below, entry.name);
      if (name === 'mount') return [];
      return entry.isDirectory() ? [`${name}/`, ...list(name)] : [name];
    });
  return fs.existsSync(directory)
    ? list('')
        .map((name) => nameless(name))
        .sort()
    : [];
}

/** Returns what `now` has in excess of the maximum over all of `allowed`. */
export function beyond(now: Traces, ...allowed: Traces[]): string[] {
  const found: string[] = [];
  for (const kind of Object.keys(now) as (keyof Traces)[]) {
    const counts = new Map<string, number>();
    for (const item of now[kind]) counts.set(item, (counts.get(item) ?? 0) + 1);
    for (const [item, count] of counts) {
      const most = Math.max(
        ...allowed.map((traces) => traces[kind].filter((other) => other === item).length),
      );
      if (count > most) found.push(`${kind}: ${item}${count - most > 1 ? ` (${count - most} times)` : ''}`);
    }
  }
  return found;
}
