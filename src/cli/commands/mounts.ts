import { fuseMountState, listFuseMounts } from '../../fuse/index.js';
import { hasCode } from '../../libc/index.js';
import { MountRecords } from '../../mounts/serving.js';
import type { Context } from '../context.js';
import { formatTable } from '../output/table.js';

export interface ShownMount {
  mountpoint: string;
  kind: 'famfs' | 'sysfs' | null;
  what: string;
  /** Null: another state directory, or a daemon that is gone. */
  pid: number | null;
  /**
   * `served`; `hangs`: it does not answer; `dead`: its daemon is gone, its users get errors; `detached`: taken away, still served to
   * those who have files open; `unseen`: this user may not look at its directory.
   */
  state: 'served' | 'hangs' | 'dead' | 'detached' | 'unseen';
  /** Where it serves its metrics, when it does. */
  metrics?: string;
  /** Why a daemon ended, when its log says so. */
  lastWords?: string;
}

/** `udax mounts` */
export async function mounts(context: Context): Promise<void> {
  const found = await allMounts(context.root);
  context.show(found, () =>
    found.length === 0
      ? 'nothing is mounted (udax mount DEVICE DIRECTORY)'
      : formatTable(
          [
            { heading: 'MOUNTPOINT' },
            { heading: 'WHAT' },
            { heading: 'STATE' },
            { heading: 'PID', right: true },
          ],
          found.map(({ mountpoint, what, state, pid, lastWords }) => [
            mountpoint,
            what,
            lastWords === undefined ? state : `${state}: ${lastWords}`,
            pid ?? '-',
          ]),
        ),
  );
}

const STATES = { alive: 'served', none: 'served', hung: 'hangs', dead: 'dead' } as const;

async function stateOf(mountpoint: string): Promise<ShownMount['state']> {
  try {
    return STATES[await fuseMountState(mountpoint)];
  } catch (error) {
    if (hasCode(error, 'EACCES')) return 'unseen';
    throw error;
  }
}

/** What the kernel's table shows of udax, with what the records of this state directory know; then what only they know. */
export async function allMounts(root: string): Promise<ShownMount[]> {
  const records = new MountRecords(root);
  const live = records.list();
  const dead = records.dead();
  const shown: ShownMount[] = [];
  const seen = new Set<number>();
  for (const { mountpoint, source, type } of listFuseMounts()) {
    if (type !== 'fuse.udax') continue;
    const state = await stateOf(mountpoint);
    const own =
      state === 'dead'
        ? undefined
        : live.find((record) => record.mountpoint === mountpoint && !seen.has(record.pid));
    const gone = dead.find(({ record }) => record.mountpoint === mountpoint);
    if (own) seen.add(own.pid);
    shown.push({
      mountpoint,
      kind: own?.kind ?? gone?.record.kind ?? null,
      what: own?.what ?? gone?.record.what ?? source,
      pid: own?.pid ?? null,
      state,
      ...(own?.metrics !== undefined && { metrics: own.metrics }),
      ...(state === 'dead' && gone?.lastWords ? { lastWords: gone.lastWords } : {}),
    });
  }
  for (const { pid, kind, what, mountpoint } of live)
    if (!seen.has(pid)) shown.push({ mountpoint, kind, what, pid, state: 'detached' });
  return shown;
}
