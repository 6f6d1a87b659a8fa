/** The memory blocks of a device in system-ram mode: counted, brought online, taken offline. */
import { deviceNumber, type FoundDevice, mappingsOf } from './discover.js';
import { attempt, type DaxctlHost, negative, readAttribute, writeAttribute } from './host.js';

export interface FoundBlock {
  /** Relative to /sys: `devices/system/node/node1/memory42`. */
  readonly path: string;
  readonly online: boolean;
  /** Online in zone Movable. */
  readonly movable: boolean;
}

/** Blocks of the device's node that lie inside the device. */
export function memoryOf(host: DaxctlHost, device: FoundDevice): FoundBlock[] {
  const blockBytes = Number.parseInt(readAttribute(host, 'devices/system/memory/block_size_bytes') ?? '', 16);
  const node = deviceNumber(host, device, 'target_node');
  if (node === null || node < 0 || !(blockBytes > 0)) return [];
  const directory = `devices/system/node/node${node}`;
  const mappings = mappingsOf(host, device);
  const blocks: FoundBlock[] = [];
  for (const name of attempt(() => host.sysfs.readdir(directory), [])) {
    if (!/^memory\d+$/.test(name)) continue;
    const path = `${directory}/${name}`;
    const start = Number.parseInt(readAttribute(host, `${path}/phys_index`) ?? '', 16) * blockBytes;
    const inside = mappings.some(
      (mapping) => start >= mapping.start && start + blockBytes - 1 <= mapping.end,
    );
    if (inside) blocks.push(blockAt(host, path));
  }
  return blocks;
}

function blockAt(host: DaxctlHost, path: string): FoundBlock {
  const online = readAttribute(host, `${path}/state`) === 'online';
  return { path, online, movable: online && readAttribute(host, `${path}/valid_zones`) === 'Movable' };
}

export interface MemoryChange {
  /** 0 done; 1 nothing was left to do; negative errno. */
  result: number;
  total: number;
  /** Blocks that were as wanted before: somebody else was faster. */
  already: number;
}

/** Brings every block online. */
export function onlineMemory(host: DaxctlHost, device: FoundDevice, movable: boolean): MemoryChange {
  return setState(host, device, true, movable ? 'online_movable' : 'online_kernel');
}

/** Takes every block offline. */
export function offlineMemory(host: DaxctlHost, device: FoundDevice): MemoryChange {
  return setState(host, device, false, 'offline');
}

function setState(host: DaxctlHost, device: FoundDevice, online: boolean, state: string): MemoryChange {
  const blocks = memoryOf(host, device);
  const pending = blocks.filter((block) => block.online !== online);
  const change: MemoryChange = { result: 0, total: blocks.length, already: blocks.length - pending.length };
  if (blocks.length === 0) change.result = negative('ENXIO');
  else if (pending.length === 0) change.result = 1;
  for (const block of pending) {
    const failed = writeAttribute(host, `${block.path}/state`, state);
    if (failed < 0 && change.result === 0) change.result = failed;
  }
  return change;
}

/** What auto_online_blocks says, or null when it cannot be read. */
export function autoOnlinePolicy(host: DaxctlHost): string | null {
  return readAttribute(host, 'devices/system/memory/auto_online_blocks');
}
