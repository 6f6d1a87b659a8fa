/** `devices/system/`: memory blocks, their nodes, and the attributes that inject memory failures. */
import { type Bus, parsePhysicalAddress } from '../../../dax/index.js';
import { fail } from '../../../libc/index.js';
import type { MemoryBlock, OnlinePolicy } from '../../../mm/index.js';
import {
  type AttributeRow,
  attributes,
  type DirectoryNode,
  directory,
  type Entries,
  largeDirectory,
  link,
} from '../node.js';
import { memoryBlockPath } from '../place.js';
import { relativeTarget } from '../walk.js';

const POLICIES: readonly OnlinePolicy[] = ['offline', 'online', 'online_kernel', 'online_movable'];

/** @throws DaxError EINVAL */
function parsePolicy(text: string): OnlinePolicy {
  const word = text.replace(/\n$/, '');
  return (
    POLICIES.find((policy) => policy === word) ??
    fail('EINVAL', `${JSON.stringify(word)} is none of ${POLICIES.join(' ')}`)
  );
}

const MEMORY_ATTRIBUTES: readonly AttributeRow<Bus>[] = [
  {
    name: 'auto_online_blocks',
    mode: 0o644,
    show: (bus) => `${bus.memoryBlocks.autoOnline}\n`,
    store: (bus, text) => {
      bus.memoryBlocks.autoOnline = parsePolicy(text);
    },
  },
  { name: 'block_size_bytes', mode: 0o444, show: (bus) => `${bus.memoryBlocks.blockBytes.toString(16)}\n` },
  {
    name: 'hard_offline_page',
    mode: 0o200,
    store: (bus, text) => void bus.hardOffline(parsePhysicalAddress(text)),
  },
  {
    name: 'soft_offline_page',
    mode: 0o200,
    store: (bus, text) => bus.softOffline(parsePhysicalAddress(text)),
  },
];

interface BlockSubject {
  readonly bus: Bus;
  readonly block: MemoryBlock;
}

const BLOCK_ATTRIBUTES: readonly AttributeRow<BlockSubject>[] = [
  { name: 'phys_index', mode: 0o444, show: ({ block }) => `${block.id.toString(16).padStart(8, '0')}\n` },
  { name: 'removable', mode: 0o444, show: ({ block }) => (block.removable ? '1\n' : '0\n') },
  {
    name: 'state',
    mode: 0o644,
    show: ({ block }) => `${block.state}\n`,
    store: ({ bus, block }, text) => bus.memoryBlocks.setState(block.id, parsePolicy(text)),
  },
  { name: 'valid_zones', mode: 0o444, show: ({ block }) => `${block.validZones}\n` },
];

export function systemDirectory(bus: Bus): DirectoryNode {
  return directory(() => [
    ['memory', memoryDirectory(bus)],
    ['node', directory(() => nodeIds(bus).map((id) => [`node${id}`, nodeDirectory(bus, id)]))],
  ]);
}

function memoryDirectory(bus: Bus): DirectoryNode {
  const plain = directory(() => attributes(MEMORY_ATTRIBUTES, bus));
  return largeDirectory(
    () => {
      const entries: Entries = attributes(MEMORY_ATTRIBUTES, bus);
      for (const block of bus.memoryBlocks.list) entries.push([blockName(block), blockDirectory(bus, block)]);
      return entries;
    },
    (name) => {
      const block = blockNamed(bus, name);
      return block ? blockDirectory(bus, block) : plain.child(name);
    },
  );
}

function blockName(block: MemoryBlock): string {
  return `memory${block.id}`;
}

function blockNamed(bus: Bus, name: string): MemoryBlock | undefined {
  const id = /^memory(0|[1-9][0-9]*)$/.exec(name)?.[1];
  return id === undefined ? undefined : bus.memoryBlocks.block(Number(id));
}

function blockDirectory(bus: Bus, block: MemoryBlock): DirectoryNode {
  const node = `node${block.node.id}`;
  return directory(() => [
    [node, link(relativeTarget(memoryBlockPath(block.id), `devices/system/node/${node}`))],
    ...attributes(BLOCK_ATTRIBUTES, { bus, block }),
  ]);
}

function nodeDirectory(bus: Bus, id: number): DirectoryNode {
  const here = `devices/system/node/node${id}`;
  const blockLink = (block: MemoryBlock) => link(relativeTarget(here, memoryBlockPath(block.id)));
  return largeDirectory(
    () => {
      const blocks = bus.memoryBlocks.list.filter((block) => block.node.id === id);
      return blocks.map((block) => [blockName(block), blockLink(block)]);
    },
    (name) => {
      const block = blockNamed(bus, name);
      return block?.node.id === id ? blockLink(block) : undefined;
    },
  );
}

/** The nodes that have memory, and the nodes of the regions. */
function nodeIds(bus: Bus): number[] {
  const ids = new Set(bus.memoryBlocks.list.map((block) => block.node.id));
  for (const region of bus.regions)
    for (const id of [region.targetNode, region.numaNode]) if (id >= 0) ids.add(id);
  return [...ids];
}
