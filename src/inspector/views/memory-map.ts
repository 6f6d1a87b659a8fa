/** The memory map of a device: any range of it, in as many cells as the page has room for. */
import { type Fmap, fileOffsetAt } from '../../famfs/index.js';
import { fail } from '../../libc/index.js';
import { Machine, type PoisonRange } from '../../machine/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { CELL_KINDS, type CellKind, type MapView, type PlaceView } from '../wire.js';
import type { AnyMachine, Looked, LookedVolumes } from './looked.js';
import { mappingsOf } from './mappings.js';
import { extentsOf, shownPath } from './paths.js';
import { METADATA, SHARED } from './unit-map.js';

const MOST_CELLS = 65_536;
const FULL = 255;
const number = (kind: CellKind): number => CELL_KINDS.indexOf(kind);
const POISON = number('poison');
const SETTLING = number('settling');
const FREE = number('free');

export interface MapRange {
  from: number;
  to: number;
  /** How many cells the range is cut into. Cells begin at multiples of their size and are whole pages: there may be fewer, or one more. */
  cells: number;
}

/** @throws DaxError ENODEV; EINVAL the range is none of the device */
export function mapOf(machine: AnyMachine, volumes: LookedVolumes, name: string, asked: MapRange): MapView {
  const { size, mode } = machine.deviceInfo(name);
  const to = Math.min(size, asked.to);
  const isRange = asked.from < to && asked.cells >= 1 && asked.cells <= MOST_CELLS;
  if (!isRange)
    fail('EINVAL', `no range of ${name}: 0 to ${size} bytes, in 1 to ${MOST_CELLS} cells`, { path: name });
  const looked = mode === 'famfs' ? volumes.attempt(name) : { problem: `${name} is in ${mode} mode` };
  const unit = 'survey' in looked ? looked.units.unitBytes : 2 ** 21;
  const cellBytes = cellSize(to - asked.from, asked.cells, unit);
  const from = asked.from - (asked.from % cellBytes);
  const count = Math.ceil((to - from) / cellBytes);
  const view: MapView = {
    device: name,
    size,
    unit,
    from,
    to,
    cellBytes,
    kinds: new Array<number>(count).fill('survey' in looked ? FREE : number('raw')),
    owners: new Array<number>(count).fill(0),
    fills: new Array<number>(count).fill('survey' in looked ? 0 : FULL),
    mapped: [],
    problem: 'survey' in looked ? null : looked.problem,
  };
  if ('survey' in looked) {
    paintFiles(view, looked);
    for (const { offset, length } of looked.survey.settling()) paint(view, offset, length, SETTLING, FREE);
  }
  paintUse(view, machine, name);
  return view;
}

/** Whole pages below a unit, whole units from there on, so that a cell never cuts a unit in parts of two cells. */
function cellSize(bytes: number, cells: number, unit: number): number {
  const least = Math.ceil(bytes / cells);
  if (least <= PAGE_SIZE) return PAGE_SIZE;
  if (least >= unit) return Math.ceil(least / unit) * unit;
  return 2 ** Math.ceil(Math.log2(least));
}

function paintFiles(view: MapView, looked: Looked): void {
  const { units, survey } = looked;
  const { removed } = survey;
  const perCell = view.cellBytes / view.unit;
  for (let cell = 0; cell < view.kinds.length; cell++) {
    const offset = view.from + cell * view.cellBytes;
    const first = Math.floor(offset / view.unit);
    const last = Math.min(units.units, Math.max(first + 1, Math.ceil(first + perCell)));
    const { owner, taken } = units.survey(first, last);
    if (taken === 0) continue;
    view.fills[cell] = Math.ceil((taken / (last - first)) * FULL);
    if (owner > 0) view.owners[cell] = owner;
    view.kinds[cell] = number(
      owner === METADATA
        ? 'metadata'
        : owner === SHARED
          ? 'several'
          : removed.has(owner)
            ? 'removed'
            : 'file',
    );
  }
  if (perCell < 1) paintSlack(view, looked);
}

/** Within units: what lies behind the last byte of its file. */
function paintSlack(view: MapView, { survey }: Looked): void {
  const maps = new Map<number, { fmap: Fmap; size: number } | null>();
  const mapFor = (ino: number) => {
    if (!maps.has(ino)) {
      const found = extentsOf(survey.tree, ino);
      maps.set(ino, found && { fmap: found.fmap, size: survey.tree.stat(ino).size });
    }
    return maps.get(ino)!;
  };
  for (const [cell, owner] of view.owners.entries()) {
    if (owner === 0) continue;
    const file = mapFor(owner);
    const at = file && fileOffsetAt(file.fmap, 0, view.from + cell * view.cellBytes);
    if (file && at !== null && at >= file.size) view.kinds[cell] = number('slack');
  }
}

/** What this machine knows of failed memory, and what processes have mapped. */
function paintUse(view: MapView, machine: AnyMachine, name: string): void {
  if (!(machine instanceof Machine)) return;
  for (const { offset, length } of poisonOf(machine, name)) paint(view, offset, length, POISON);
  const mapped = new Set<number>();
  for (const { offset, length } of mappingsOf(machine, name))
    for (const cell of cellsOf(view, offset, length)) mapped.add(cell);
  view.mapped = [...mapped].sort((a, b) => a - b);
}

function poisonOf(machine: Machine, name: string): PoisonRange[] {
  return machine.poisonList().filter(({ device }) => device === name);
}

/** Paints the cells that a range touches; with `over`, only those of that kind. */
function paint(view: MapView, offset: number, length: number, kind: number, over?: number): void {
  for (const cell of cellsOf(view, offset, length)) {
    if (over !== undefined && view.kinds[cell] !== over) continue;
    view.kinds[cell] = kind;
    view.fills[cell] = FULL;
  }
}

/** The cells that a range of the device touches. */
function* cellsOf(view: MapView, offset: number, length: number): Generator<number> {
  const end = Math.min(view.kinds.length, Math.ceil((offset + length - view.from) / view.cellBytes));
  for (let cell = Math.max(0, Math.floor((offset - view.from) / view.cellBytes)); cell < end; cell++)
    yield cell;
}

/** What lies at one byte. @throws DaxError ENODEV, EINVAL */
export function placeOf(
  machine: AnyMachine,
  volumes: LookedVolumes,
  name: string,
  offset: number,
): PlaceView {
  const { size } = machine.deviceInfo(name);
  if (!(offset >= 0 && offset < size)) fail('EINVAL', `${name} has bytes 0 to ${size - 1}`, { path: name });
  const at = offset - (offset % PAGE_SIZE);
  const cell = mapOf(machine, volumes, name, { from: at, to: at + PAGE_SIZE, cells: 1 });
  const place: PlaceView = {
    offset,
    kind: CELL_KINDS[cell.kinds[0]!]!,
    ino: cell.owners[0]!,
    path: null,
    size: 0,
    fileOffset: null,
    extents: 0,
    strips: 0,
    mappings: mappingsOf(machine, name).filter(
      (one) => offset >= one.offset && offset < one.offset + one.length,
    ),
    folio: folioAt(machine, name, at),
  };
  const looked = place.ino === 0 ? undefined : volumes.of(name);
  const found = looked && extentsOf(looked.survey.tree, place.ino);
  if (!looked || !found) return place;
  const { fmap } = found;
  return {
    ...place,
    path: shownPath(looked, place.ino),
    size: looked.survey.tree.stat(place.ino).size,
    fileOffset: fileOffsetAt(fmap, 0, offset),
    extents: fmap.extents.length,
    strips: fmap.type === 'interleaved' ? fmap.nstrips : 0,
  };
}

/** The folio of a page in the model of this process. */
function folioAt(machine: AnyMachine, name: string, offset: number): PlaceView['folio'] {
  if (!(machine instanceof Machine)) return null;
  const page = offset / PAGE_SIZE;
  const range = machine.deviceInfo(name).ranges.find(({ start, end, pageOffset }) => {
    const pages = (end + 1 - start) / PAGE_SIZE;
    return page >= pageOffset && page < pageOffset + pages;
  });
  if (range === undefined) return null;
  const { pages } = machine.bus;
  const pfn = range.start / PAGE_SIZE + page - range.pageOffset;
  const { order, refcount, mapping } = pages.describe(pfn);
  return { order, references: refcount, isMapped: mapping !== null, isPoisoned: pages.isPoisoned(pfn) };
}
