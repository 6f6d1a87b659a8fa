import fs from 'node:fs';
import { commandOf, hasCode, startTimeOf } from '../../libc/index.js';
import type { HolderInfo } from '../types.js';
import type { HolderSurvey } from './types.js';

/** A device node to look for. Other processes may have opened it through any path, so its number identifies it. */
export interface WantedNode {
  /** `dax0.0`. */
  name: string;
  /** As in stat(2). */
  rdev: number;
}

/**
 * Finds the users of dax devices. Sources: /proc/PID/fd, by device number; /proc/PID/maps, by the number of the mapped path's
 * node (a mapping outlives its descriptor); and the host's mounts of a device (famfs in the kernel). Slow: walks /proc.
 */
export function surveyHolders(nodes: readonly WantedNode[]): HolderSurvey {
  const survey: HolderSurvey = { holders: [], unseen: 0 };
  if (nodes.length === 0) return survey;
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    const uses = usesBy(pid, nodes);
    if (uses === 'hidden') survey.unseen++;
    else if (uses !== 'gone') survey.holders.push(...holdersOf(pid, uses));
  }
  survey.holders.push(...mountsOf(nodes));
  return survey;
}

type Uses = Map<string, Set<string>>;

function holdersOf(pid: number, uses: Uses): HolderInfo[] {
  if (uses.size === 0) return [];
  const about = { pid, startTime: startTimeOf(pid), command: commandOf(pid) };
  return [...uses].map(([device, how]) => ({ ...about, device, purpose: [...how].join(', ') }));
}

function usesBy(pid: number, nodes: readonly WantedNode[]): Uses | 'hidden' | 'gone' {
  const uses: Uses = new Map();
  const add = (rdev: number, how: string): void => {
    for (const { name } of nodes.filter((node) => node.rdev === rdev)) {
      uses.set(name, (uses.get(name) ?? new Set()).add(how));
    }
  };
  try {
    // A kernel thread has no descriptors; its empty command line identifies it.
    if (fs.readFileSync(`/proc/${pid}/cmdline`).length === 0) return uses;
    for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) add(rdevOf(`/proc/${pid}/fd/${fd}`), 'open');
    for (const path of mappedDevices(pid)) add(rdevOf(`/proc/${pid}/root${path}`), 'mapped');
    return uses;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return 'gone';
    if (hasCode(error, 'EACCES', 'EPERM')) return 'hidden';
    throw error;
  }
}

/** Mapped paths that contain `dax`. Every mapping of a dax device names its node. */
function mappedDevices(pid: number): Set<string> {
  const paths = new Set<string>();
  for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const path = / (\/\S*dax\S*)$/.exec(line)?.[1];
    if (path !== undefined) paths.add(path);
  }
  return paths;
}

/** The device number of a character device; -1 for anything else, and for a path that is gone. */
function rdevOf(path: string): number {
  try {
    const stat = fs.statSync(path);
    return stat.isCharacterDevice() ? stat.rdev : -1;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'ENOTDIR', 'ELOOP')) return -1;
    throw error;
  }
}

/** Kernel file systems (famfs) mounted on a device. Such a holder is no process: its pid is 0. */
function mountsOf(nodes: readonly WantedNode[]): HolderInfo[] {
  const holders: HolderInfo[] = [];
  for (const line of fs.readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [source = '', directory = '', type = ''] = line.split(' ');
    // The daemon of a FUSE mount has the device open itself, so the walk over /proc finds it.
    if (!source.startsWith('/dev/dax') || type.startsWith('fuse')) continue;
    const rdev = rdevOf(source);
    for (const { name } of nodes.filter((node) => node.rdev === rdev)) {
      holders.push({
        pid: 0,
        startTime: 0,
        command: 'kernel',
        device: name,
        purpose: `${type} mounted at ${directory}`,
      });
    }
  }
  return holders;
}
