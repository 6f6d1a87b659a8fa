/**
 * Decides whether two worlds are the same state. States with equal keys behave the same from then on and look the same to every
 * invariant.
 *
 * A key is a list of parts (a driver list, a device, an open file ...). Each distinct part gets a number, so that a state costs a
 * few characters, and equal keys are equal states, not just equal hashes. A key leaves out what nothing depends on: the names of
 * open files, mappings and file systems (they are interchangeable), minor and generation numbers, the order of ids, and the log.
 */
import type { DevDax, OpenFile, Region, Vma } from '../../dax/index.js';
import { type AddressSpace, type DevPagemap, PMD_PAGES, PMD_SIZE } from '../../mm/index.js';
import type { FileSystem } from './actors/file-system.js';
import { BLOCK_BYTES, type ScopeRegion } from './scope.js';
import type { World } from './world.js';

export interface StateKey {
  /** Modules, ids, regions, devices with their drivers and holders: what a failed event must not change (I12). */
  readonly control: string;
  /** The whole state. */
  readonly whole: string;
}

const PART_BITS = 15;

export class StateKeys {
  readonly #numbers = new Map<string, number>();

  /** @param renumbered canonical id of each region; the identity unless regions are alike */
  keyOf(world: World, renumbered: readonly number[]): StateKey {
    const view = new View(world, renumbered);
    const control = this.#packed(controlParts(world, view));
    return { control, whole: `${control}|${this.#packed(otherParts(world, view))}` };
  }

  /** Number of distinct parts so far. */
  get parts(): number {
    return this.#numbers.size;
  }

  /** Packs the parts, two characters each. */
  #packed(parts: readonly string[]): string {
    let packed = '';
    for (const part of parts) {
      let number = this.#numbers.get(part);
      if (number === undefined) {
        number = this.#numbers.size;
        this.#numbers.set(part, number);
      }
      packed += String.fromCharCode(256 + (number >>> PART_BITS), 256 + (number & ((1 << PART_BITS) - 1)));
    }
    return packed;
  }
}

/** Names and addresses in the form that keys use. */
class View {
  readonly #fileSystems: readonly FileSystem[];

  constructor(
    readonly world: World,
    readonly renumbered: readonly number[],
  ) {
    // Mounted ones come first, by device, because the names of file systems do not matter.
    this.#fileSystems =
      world.fileSystems.length < 2
        ? world.fileSystems
        : [...world.fileSystems].sort((a, b) => compare(this.#rank(a), this.#rank(b)));
  }

  region(id: number): number {
    return this.renumbered[id] ?? id;
  }

  /** `daxR.I` with the canonical R; `gone` for a device that left the bus. */
  device(device: DevDax): string {
    return device.present ? `${this.region(device.region.id)}.${device.instance}` : 'gone';
  }

  /** An id need not name an existing device. */
  id(name: string): string {
    const parts = /^dax(\d+)\.(\d+)$/.exec(name);
    return parts === null ? name : `${this.region(Number(parts[1]))}.${parts[2]}`;
  }

  /** Address relative to its region, in units of 2 MiB, with fractions. */
  at(device: DevDax, hpa: number): number {
    return (hpa - device.region.start) / PMD_SIZE;
  }

  fileSystem(one: FileSystem): number {
    return this.#fileSystems.indexOf(one);
  }

  get fileSystems(): readonly FileSystem[] {
    return this.#fileSystems;
  }

  /** The scope's regions, present or not, in canonical order. */
  get regions(): readonly ScopeRegion[] {
    const { regions } = this.world.scope;
    if (regions.every(({ id }) => this.region(id) === id)) return regions;
    return [...regions].sort((a, b) => this.region(a.id) - this.region(b.id));
  }

  /** The owner of a folio. */
  owner(mapping: AddressSpace | null): string {
    if (mapping === null) return '-';
    const owner = this.#fileSystems.findIndex(({ file }) => file === mapping);
    if (owner >= 0) return `fs${owner}`;
    const device = this.world.bus.devices().find(({ inode }) => inode === mapping);
    return device === undefined ? 'old' : `node of ${this.device(device)}`;
  }

  #rank({ device, leaving, lost }: FileSystem): string {
    if (leaving !== null) return `~${this.device(leaving)}`;
    return device === null ? '~~' : `${this.device(device)}${lost ? '!' : ''}`;
  }
}

function controlParts(world: World, view: View): string[] {
  const { bus } = world;
  const parts = [bus.autoprobe ? 'auto' : 'manual'];
  for (const driver of bus.drivers) {
    const ids = driver.ids.map((id) => view.id(id));
    parts.push(`${driver.name}:${ids.length > 1 ? ids.sort().join() : (ids[0] ?? '')}`);
  }
  for (const region of bus.regions) parts.push(regionPart(region, view));
  for (const device of bus.devices()) parts.push(devicePart(device, view));
  for (const { device, start, end } of bus.stranded) parts.push(`stranded ${view.id(device)} ${end - start}`);
  if (bus.registry.entries.length !== bus.devices().length)
    parts.push(`registry ${bus.registry.entries.length}`);
  return parts;
}

function regionPart(region: Region, view: View): string {
  const { seed, youngest } = region;
  return `region ${view.region(region.id)} ${seed?.instance ?? '-'} ${youngest?.instance ?? '-'}`;
}

function devicePart(device: DevDax, view: View): string {
  const { dax, binding, ranges } = device;
  const spans = ranges.map(({ start, end }) => `${view.at(device, start)}-${view.at(device, end + 1)}`);
  const holder =
    dax.holder === null
      ? '-'
      : `${view.fileSystem(dax.holder as FileSystem)}${dax.tellsHolder ? '' : ' silent'}`;
  const bound = binding === null ? '-' : `${binding.driver}${binding.ranges.length}`;
  const state = `${dax.alive ? 'a' : ''}${dax.dying ? 'd' : ''}${dax.ops === null ? '' : 'o'}`;
  return `${view.device(device)} ${spans.join()} ${device.align} ${bound} ${state} ${holder} ${dax.references} ${dax.readers}`;
}

function otherParts(world: World, view: View): string[] {
  const { bus } = world;
  const parts: string[] = [];
  for (const device of bus.devices()) parts.push(residuePart(device, view));
  for (const region of view.regions) parts.push(foliosPart(region, view));
  for (const file of bus.openFiles) parts.push(filePart(file, view));
  if (bus.openFiles.size > 1) parts.sort();
  for (const one of view.fileSystems) parts.push(fileSystemPart(one, view));
  for (const { about, pause } of world.threads.values()) parts.push(`call ${about} ${pause.at}`);
  for (const { id, state } of bus.memoryBlocks.list)
    parts.push(`block ${blockName(world, view, id)} ${state}`);
  for (const { pfn, pages } of bus.pages.poisonedRanges())
    parts.push(`bad ${pageName(world, view, pfn)}+${pages}`);
  return parts;
}

/** What a driver left behind on a device. */
function residuePart(device: DevDax, view: View): string {
  const { binding, pageMap, region, cleared, lastDevres, nodeCorrupt } = device;
  const maps = `${pageMapText(region.pageMap, device)} ${pageMapText(pageMap, device)}`;
  const matched = binding?.matchedById ? '#' : '';
  const wrong = `${lastDevres?.settled === false ? '' : '!'}${nodeCorrupt ? '*' : ''}`;
  const rested = cleared
    .map(({ start, end }) => `${view.at(device, start)}-${view.at(device, end + 1)}`)
    .join();
  return `${view.device(device)} left ${rested} ${maps} ${wrong}${matched}`;
}

function pageMapText(pageMap: DevPagemap | null, device: DevDax): string {
  if (pageMap === null) return '-';
  const owner = pageMap.owner === null ? '' : pageMap.owner === device ? 'own' : 'other';
  return `${pageMap.type ?? ''}/${pageMap.ops === null ? '' : 'ops'}/${owner}/${pageMap.vmemmapShift}`;
}

/**
 * Folio state of a region's memory, per unit, also while the region is removed. Events touch a whole unit or its first page, so
 * the first two pages and the last one stand for the unit.
 */
function foliosPart(region: ScopeRegion, view: View): string {
  const { pages } = view.world.bus;
  let text = '';
  const end = (region.start + region.size) / 4096;
  for (let pfn = region.start / 4096; pfn < end; pfn += PMD_PAGES) {
    for (const page of [pfn, pfn + 1, pfn + PMD_PAGES - 1]) {
      const { order, mapping, index, share, refcount } = pages.describe(page);
      if (order === 0 && mapping === null && share === 0 && refcount === 0) text += '.';
      else text += `(${order} ${view.owner(mapping)} ${index} ${share} ${refcount})`;
    }
  }
  return text;
}

function filePart(file: OpenFile, view: View): string {
  const { device, binding } = file;
  const mappings = [...file.host.vmas].filter((vma) => vma.file === file).map(vmaText);
  const under = `${binding?.driver ?? '-'}${file.live ? '+' : ''}${file.closed ? 'c' : ''}`;
  return `~file ${view.device(device)} ${under} ${binding?.ranges.length ?? 0} ${mappings.sort().join()}`;
}

function vmaText(vma: Vma): string {
  const units = [...vma.mappedUnits.keys()].sort((a, b) => a - b);
  return `${vma.length / 4096}@${vma.offset}:${units.join('.')}`;
}

function fileSystemPart({ device, leaving, lost, entries }: FileSystem, view: View): string {
  if (leaving !== null) return `fs leaves ${view.device(leaving)}`;
  if (device === null) return 'fs';
  const mapped = [...entries].map(([unit, { order }]) => `${unit}:${order}`).sort();
  return `fs ${view.device(device)} ${lost ? 'lost' : ''} ${mapped.join()}`;
}

function pageName(world: World, view: View, pfn: number): string {
  const hpa = pfn * 4096;
  const id = world.scope.regions.findIndex(({ start, size }) => hpa >= start && hpa < start + size);
  return `${view.region(id)}:${pfn - (world.scope.regions[id]?.start ?? 0) / 4096}`;
}

function blockName(world: World, view: View, id: number): string {
  return pageName(world, view, (id * BLOCK_BYTES) / 4096);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
