import { type DevPagemap, PAGE_SIZE, pagesOfOrder, type Violation, violation } from '../mm/index.js';
import type { Bus } from './bus/bus.js';
import type { BusState } from './bus/state.js';
import { FsdevOperations } from './drivers/fsdev-operations.js';
import { RawMapping } from './files/raw-mapping.js';
import type { DevDax } from './regions/dev-dax.js';
import { lengthOf } from './regions/ranges.js';

/** The invariants that can be checked on a bus, in one line each (docs/design.md has the full text). */
export const INVARIANTS: Readonly<Record<string, string>> = {
  I1: 'a folio of order o is 2^o aligned pages; each tail points to its head',
  I2: 'a page with a mapping has the index in its union word, one without its share count',
  I3: 'after an unbind or a failed probe nothing of that driver is left',
  I4: 'fsdev_dax has only devices whose id it was given',
  I5: "a page's refcount is the number of live mappings and pins over it",
  I6: 'nothing mapped outlives its binding',
  I10: 'page offset to pfn to device offset is the identity; failures are told at their offset',
  I11: 'lookups find exactly what is registered',
  I12: 'a command that failed left mode, driver and locks as they were',
};

/** A reference on a folio that the bus does not know: of a file of a file system, or of a model of one. */
export interface ForeignPin {
  pfn: number;
  order: number;
}

/**
 * Checks I1-I6, I10 and I11, as far as a bus shows them, and lists the incidents of quirks. Empty when all hold. (I12 compares
 * two states: see checkUnchanged().)
 */
export function checkInvariants(bus: Bus, foreignPins: readonly ForeignPin[] = []): Violation[] {
  const wrong: Violation[] = bus.incidents.map(({ invariant, text }) => violation(invariant, text));
  wrong.push(...bus.pages.check());
  for (const device of bus.devices()) {
    if (device.binding === null) wrong.push(...checkUnbound(bus, device));
    else wrong.push(...checkBound(bus, device));
    const { dax } = device;
    if (dax.references < (dax.holder === null ? 0 : 1))
      wrong.push(violation('I3', `${device.name} has ${dax.references} references: put without get`));
  }
  wrong.push(...checkFiles(bus), ...checkReferences(bus, foreignPins), ...checkLookups(bus));
  return wrong;
}

/** Checks I12: a failed command has left drivers, ids, ranges, regions and modules as they were. */
export function checkUnchanged(before: BusState, bus: Bus, command: string): Violation[] {
  return JSON.stringify(before) === JSON.stringify(bus.snapshot())
    ? []
    : [violation('I12', `${command} failed and left the machine changed`)];
}

/** I3: nothing of a driver is left. */
function checkUnbound(bus: Bus, device: DevDax): Violation[] {
  const wrong: Violation[] = [];
  const { name, dax, lastDevres, region } = device;
  if (dax.alive) wrong.push(violation('I3', `${name} is alive without a driver`));
  if (dax.ops !== null) wrong.push(violation('I3', `${name} has dax operations without a driver`));
  if (dax.holder !== null) wrong.push(violation('I3', `${name} has a holder without a driver`));
  if (device.pageMap !== null) wrong.push(violation('I3', `${name} has a page map without a driver`));
  if (lastDevres !== null && !lastDevres.settled)
    wrong.push(
      violation('I3', `${name}: released ${lastDevres.released.join()} of ${lastDevres.acquired.join()}`),
    );
  const { pageMap } = region;
  if (pageMap !== null && (pageMap.ops !== null || pageMap.owner !== null))
    wrong.push(violation('I3', `the page map of ${name} has ops or an owner without a driver`));
  for (const resource of bus.resources.all())
    if (resource.name === name && !bus.stranded.some((memory) => memory.resource === resource))
      wrong.push(violation('I3', `${name} claims 0x${resource.start.toString(16)} without a driver`));
  wrong.push(...checkAtRest(bus, device));
  return wrong;
}

/** I3: pages that fsdev_dax released are at rest until a driver takes them again. */
function checkAtRest(bus: Bus, { name, cleared }: DevDax): Violation[] {
  const busy = cleared.find(
    (range) => !bus.pages.atRest(range.start / PAGE_SIZE, lengthOf(range) / PAGE_SIZE),
  );
  return busy === undefined
    ? []
    : [violation('I3', `pages of ${name} at 0x${busy.start.toString(16)} are not at rest after fsdev_dax`)];
}

function checkBound(bus: Bus, device: DevDax): Violation[] {
  const { name, dax, binding } = device;
  const wrong: Violation[] = [];
  const { driver, matchedById, pageMap } = binding!;
  if (driver === 'fsdev_dax' && !matchedById)
    wrong.push(violation('I4', `${name} is bound to fsdev_dax without its id`));
  if ((dax.alive || dax.dying) !== (driver !== 'kmem'))
    wrong.push(violation('I3', `${name} under ${driver}: alive is ${dax.alive}`));
  if (driver === 'fsdev_dax') wrong.push(...checkFsdev(bus, device, pageMap));
  return wrong;
}

/** I1: files build their folios from order 0 pages. I10: the translation, its inverse, and the offset of failures. */
function checkFsdev(bus: Bus, device: DevDax, pageMap: DevPagemap | null): Violation[] {
  const { name, binding } = device;
  const wrong: Violation[] = [];
  if (pageMap !== null && pageMap.vmemmapShift !== 0)
    wrong.push(violation('I1', `${name} under fsdev_dax has vmemmap_shift ${pageMap.vmemmapShift}`));
  for (const range of binding!.ranges) {
    const first = range.start / PAGE_SIZE;
    const pages = lengthOf(range) / PAGE_SIZE;
    if (bus.pages.defaultOrder(first) !== 0 || bus.pages.defaultOrder(first + pages - 1) !== 0)
      wrong.push(violation('I1', `${name} under fsdev_dax has folios that no file built`));
    for (const page of new Set([0, Math.floor(pages / 2), pages - 1]))
      wrong.push(...checkTranslation(device, range.pageOffset + page, first + page, pages - page));
  }
  const { ops } = device.dax;
  const end = device.dax.size / PAGE_SIZE;
  if (ops instanceof FsdevOperations && ops.directAccess(end, 1, 'recovery') !== null)
    wrong.push(violation('I10', `${name} translates page ${end} beyond its end`));
  return wrong;
}

function checkTranslation(device: DevDax, pgoff: number, pfn: number, left: number): Violation[] {
  const wrong: Violation[] = [];
  const { name } = device;
  const answer = device.dax.ops?.directAccess(pgoff, Number.MAX_SAFE_INTEGER, 'recovery') ?? null;
  if (answer === null) return [violation('I10', `${name} does not translate page ${pgoff}`)];
  if (answer.pfn !== pfn)
    wrong.push(violation('I10', `${name} page ${pgoff} is pfn ${pfn}, not ${answer.pfn}`));
  if (answer.hpa !== pfn * PAGE_SIZE)
    wrong.push(
      violation(
        'I10',
        `${name} page ${pgoff} is at 0x${(pfn * PAGE_SIZE).toString(16)}, not 0x${answer.hpa.toString(16)}`,
      ),
    );
  if (answer.pages !== left)
    wrong.push(violation('I10', `${name} page ${pgoff}: ${answer.pages} pages, the range has ${left}`));
  const told = device.binding!.pageMap?.ops?.failureOffset(pfn);
  if (told !== pgoff * PAGE_SIZE)
    wrong.push(
      violation('I10', `a failure of ${name} page ${pgoff} is told at ${told}, not ${pgoff * PAGE_SIZE}`),
    );
  return wrong;
}

/** I6: a mapping has pages only while the binding under which its file was opened exists. */
function checkFiles(bus: Bus): Violation[] {
  const wrong: Violation[] = [];
  for (const file of bus.openFiles)
    if (file.live && file.device.binding !== file.binding)
      wrong.push(violation('I6', `a file of ${file.device.name} from an earlier binding came to life again`));
  for (const vma of bus.vmas) {
    const { device, binding } = vma.file;
    if (vma.mappedUnits.size > 0 && device.binding !== binding)
      wrong.push(violation('I6', `a mapping of ${device.name} has pages after its binding was undone`));
  }
  for (const device of bus.devices())
    for (const mapping of device.mappings)
      if (mapping instanceof RawMapping && mapping.alive && device.binding?.file !== 'mmap')
        wrong.push(violation('I6', `a raw mapping of ${device.name} outlived its driver`));
  return wrong;
}

/** I5: every reference on a folio is a live mapping or a pin. */
function checkReferences(bus: Bus, foreignPins: readonly ForeignPin[]): Violation[] {
  const expected = new Map<number, number>();
  const count = (pfn: number, pages: number): void => {
    for (let page = pfn; page < pfn + pages; ) {
      const { head, order } = bus.pages.describe(page);
      expected.set(head, (expected.get(head) ?? 0) + 1);
      page = head + pagesOfOrder(order);
    }
  };
  for (const vma of bus.vmas)
    for (const pfn of vma.mappedUnits.values()) count(pfn, vma.unitBytes / PAGE_SIZE);
  for (const device of bus.devices())
    for (const mapping of device.mappings)
      if (mapping instanceof RawMapping)
        for (const pin of mapping.pins) count(pin.start / PAGE_SIZE, pin.length / PAGE_SIZE);
  for (const { pfn, order } of foreignPins) count(pfn, pagesOfOrder(order));
  const wrong: Violation[] = [];
  for (const { head, refcount } of bus.pages.referenced()) {
    const wanted = expected.get(head) ?? 0;
    if (refcount !== wanted)
      wrong.push(violation('I5', `pfn ${head} has refcount ${refcount}, ${wanted} mappings and pins`));
    expected.delete(head);
  }
  for (const [head, wanted] of expected)
    wrong.push(violation('I5', `pfn ${head} has refcount 0, ${wanted} mappings and pins`));
  return wrong;
}

/** I11: lookups by name and by dev_t find exactly the devices of the bus. */
function checkLookups(bus: Bus): Violation[] {
  const wrong: Violation[] = [];
  const devices = bus.devices();
  for (const device of devices) {
    if (bus.device(device.name) !== device)
      wrong.push(violation('I11', `${device.name} is not found by name`));
    if (bus.registry.lookup(device.devt) !== device.dax)
      wrong.push(violation('I11', `${device.name} is not found by dev_t ${device.devt}`));
  }
  const known = new Set(devices.map(({ devt }) => devt));
  for (const devt of bus.registry.entries)
    if (!known.has(devt)) wrong.push(violation('I11', `dev_t ${devt} is registered, no device has it`));
  return wrong;
}
