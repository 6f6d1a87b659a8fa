import fs from 'node:fs';
import { commandOf, hasCode, startTimeOf } from '../../libc/index.js';
import type { HolderInfo } from '../types.js';
import type { HolderSurvey } from './types.js';

/** A device node as others may have it open: by number, through whatever path. */
export interface WantedNode {
  /** `dax0.0`. */
  name: string;
  /** As stat(2) has it. */
  rdev: number;
}

/**
 * Who has dax devices open or mapped: /proc/PID/fd by device number, /proc/PID/maps by the node's inode (a mapping
 * outlives its descriptor), and the host's mounts of a device (famfs in the kernel). Slow: walks /proc.
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
    // A kernel thread has no descriptors, and says so by having no command line.
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

/** Paths of mapped files that are named as dax devices are; every mapping of one names its node. */
function mappedDevices(pid: number): Set<string> {
  const paths = new Set<string>();
  for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const path = / (\/\S*dax\S*)$/.exec(line)?.[1];
    if (path !== undefined) paths.add(path);
  }
  return paths;
}

/** The device number of a character device; -1 for anything else, or when it is gone. */
function rdevOf(path: string): number {
  try {
    const stat = fs.statSync(path);
    return stat.isCharacterDevice() ? stat.rdev : -1;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'ENOTDIR', 'ELOOP')) return -1;
    throw error;
  }
}

/** A file system of the kernel on a device (famfs): its holder is no process. */
function mountsOf(nodes: readonly WantedNode[]): HolderInfo[] {
  const holders: HolderInfo[] = [];
  for (const line of fs.readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [source = '', directory = '', type = ''] = line.split(' ');
    // A FUSE mount's daemon has the device open itself, and is found there.
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
