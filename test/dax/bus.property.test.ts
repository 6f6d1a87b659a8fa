import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Bus,
  type BusState,
  checkInvariants,
  checkUnchanged,
  type OpenFile,
  type Vma,
} from '../../src/dax/index.js';
import { Tally } from '../support/tally.js';
import { moveTo } from '../tree/support.js';
import { bareBus, MiB, START } from './support.js';

/** The state of a run: the bus, files, mappings, holders. */
interface World {
  readonly bus: Bus;
  files: OpenFile[];
  readonly holders: Map<string, object>;
}

/** A command throws a DaxError or takes effect. The invariants hold either way. */
type Command = (world: World) => void;

const NAMES = ['dax0.0', 'dax0.1', 'dax0.2', 'dax1.0'];
const DRIVERS = ['device_dax', 'fsdev_dax', 'kmem'];

const name = fc.constantFrom('dax0.0', 'dax0.0', ...NAMES);
const driver = fc.constantFrom(...DRIVERS);
const region = fc.nat(1);
const pages = fc.nat(9).map((sections) => sections * 2 * MiB);

function record(what: string, run: Command): { what: string; run: Command } {
  return { what, run };
}

const command = fc.oneof(
  driver.map((module) => record(`insmod ${module}`, ({ bus }) => bus.insmod(module))),
  driver.map((module) => record(`rmmod ${module}`, ({ bus }) => bus.rmmod(module))),
  fc.boolean().map((idle) => record(`add region 0 idle=${idle}`, ({ bus }) => addDynamic(bus, idle))),
  fc.constant(record('add region 1', ({ bus }) => addStatic(bus))),
  region.map((id) => record(`remove region ${id}`, ({ bus }) => bus.removeRegion(id))),
  fc.constant(record('create', ({ bus }) => void bus.region(0)?.createDevice())),
  name.map((device) => record(`delete ${device}`, ({ bus }) => bus.region(0)?.deleteDevice(device))),
  fc
    .tuple(name, pages)
    .map(([device, size]) => record(`size ${device} ${size}`, ({ bus }) => bus.device(device)?.resize(size))),
  fc
    .tuple(name, pages, pages)
    .map(([device, at, size]) =>
      record(`mapping ${device} ${at} ${size}`, ({ bus }) =>
        bus.device(device)?.addMapping(START + at, START + at + size - 1),
      ),
    ),
  fc
    .tuple(name, fc.constantFrom(4096, 2 * MiB))
    .map(([device, align]) =>
      record(`align ${device} ${align}`, ({ bus }) => bus.device(device)?.setAlign(align)),
    ),
  fc.tuple(driver, name).map(([to, id]) => record(`new_id ${to} ${id}`, ({ bus }) => bus.newId(to, id))),
  fc
    .tuple(driver, name)
    .map(([to, id]) => record(`remove_id ${to} ${id}`, ({ bus }) => bus.removeId(to, id))),
  fc
    .tuple(driver, name)
    .map(([to, device]) => record(`bind ${to} ${device}`, ({ bus }) => bus.bind(to, device))),
  fc
    .tuple(driver, name)
    .map(([to, device]) => record(`unbind ${to} ${device}`, ({ bus }) => bus.unbind(to, device))),
  fc
    .tuple(driver, name)
    .map(([to, device]) => record(`reconfigure ${device} ${to}`, ({ bus }) => moveTo(bus, device, to))),
  // Like a user who looks at the bus first.
  name.map((device) => record(`release ${device}`, ({ bus }) => release(bus, device))),
  name.map((device) => record(`take ${device}`, ({ bus }) => take(bus, device))),
  name.map((device) => record(`probe ${device}`, ({ bus }) => bus.probe(device))),
  name.map((device) => record(`open ${device}`, (world) => void world.files.push(world.bus.open(device)))),
  fc
    .tuple(fc.nat(5), pages)
    .map(([at, offset]) => record(`mmap ${at} ${offset}`, (world) => mapAndTouch(world, at, offset))),
  fc.nat(5).map((at) => record(`munmap ${at}`, ({ bus }) => pick([...bus.vmas], at)?.munmap())),
  fc.nat(5).map((at) => record(`touch ${at}`, ({ bus }) => void touch(pick([...bus.vmas], at)))),
  fc.nat(5).map((at) => record(`close ${at}`, (world) => closeFile(world, at))),
  name.map((device) => record(`hold ${device}`, (world) => hold(world, device))),
  name.map((device) => record(`put ${device}`, (world) => put(world, device))),
  fc
    .tuple(name, fc.nat(20))
    .map(([device, page]) =>
      record(`zero ${device} ${page}`, ({ bus }) => bus.device(device)?.dax.zeroPageRange(page * 256, 2)),
    ),
  pages.map((at) => record(`fail page ${at}`, ({ bus }) => void bus.hardOffline(START + at))),
  fc.nat(40).map((block) => record(`toggle memory ${block}`, ({ bus }) => toggle(bus, block))),
  fc.option(fc.nat(9), { nil: null }).map((step) =>
    record(`probes fail at ${step}`, ({ bus }) => {
      bus.platform.failProbeAtStep = step;
    }),
  ),
);

describe('the bus', () => {
  it('keeps I1-I6, I10-I12 whatever happens to it, and can be stored and restored at any moment', () => {
    const tally = new Tally();
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60, size: 'max' }), fc.boolean(), (commands, isReady) => {
        const world: World = {
          bus: bareBus({ modules: [], memoryBlockBytes: 4 * MiB }),
          files: [],
          holders: new Map(),
        };
        // A run from an empty bus hardly ever gets as far as a mapping. So every other run begins with drivers and regions.
        if (isReady) makeReady(world.bus);
        const trace: string[] = [isReady ? 'ready' : 'bare'];
        for (const { what, run } of commands) {
          trace.push(what);
          const before = world.bus.snapshot();
          const { size: mappings } = world.bus.vmas;
          const refused = attempt(run, world);
          const [verb = ''] = what.split(' ', 1);
          tally.count(verb, !refused && (verb !== 'mmap' || world.bus.vmas.size > mappings));
          tally.count('changes the bus', JSON.stringify(world.bus.snapshot()) !== JSON.stringify(before));
          const wrong = checkInvariants(world.bus);
          if (refused) wrong.push(...checkUnchanged(before, world.bus, what));
          if (wrong.length > 0)
            throw new Error(
              `${trace.join('; ')}:\n${wrong.map(({ invariant, text }) => `${invariant}: ${text}`).join('\n')}`,
            );
        }
        mustRestore(world.bus.snapshot());
      }),
      { numRuns: 1500 },
    );
    // Of the nine pairs of a driver and a device that `bind` and `unbind` draw, few are possible. `take` and `release` make up
    // for that.
    tally.eachMustReach(0.0005);
  });
});

/** @returns true when the command was refused */
function attempt(run: Command, world: World): boolean {
  try {
    run(world);
    return false;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return true;
    throw error;
  }
}

function mustRestore(state: BusState): void {
  const copy = bareBus({ modules: [], memoryBlockBytes: 4 * MiB });
  expect(copy.restore(JSON.parse(JSON.stringify(state)))).toEqual([]);
  expect(copy.snapshot()).toEqual(state);
  expect(checkInvariants(copy)).toEqual([]);
}

function addDynamic(bus: Bus, idle: boolean): void {
  bus.addRegion({ id: 0, type: 'device', start: START, size: 16 * MiB, align: 2 * MiB, targetNode: 1, idle });
}

function makeReady(bus: Bus): void {
  for (const module of DRIVERS) bus.insmod(module);
  addDynamic(bus, false);
  addStatic(bus);
}

function release(bus: Bus, device: string): void {
  bus.unbind(bus.device(device)?.driver ?? 'device_dax', device);
}

/** Binds the device to the driver that its region's type asks for. */
function take(bus: Bus, device: string): void {
  bus.bind(device === 'dax1.0' ? 'kmem' : 'device_dax', device);
}

function addStatic(bus: Bus): void {
  const start = START + 32 * MiB;
  bus.addRegion({ id: 1, type: 'kmem', static: true, start, size: 8 * MiB, align: 4096, targetNode: 2 });
}

function pick<T>(list: T[], at: number): T | undefined {
  return list[at % Math.max(1, list.length)];
}

function mapAndTouch(world: World, at: number, offset: number): void {
  const file = pick(world.files, at);
  touch(file?.mmap({ offset, length: 4 * MiB, prot: 'rw', type: 'shared' }));
}

function touch(vma: Vma | undefined): void {
  vma?.load(0);
  vma?.store(3 * MiB, 1);
}

function closeFile(world: World, at: number): void {
  const file = pick(world.files, at);
  file?.close();
  world.files = world.files.filter((other) => other !== file);
}

function hold({ bus, holders }: World, name: string): void {
  const dax = bus.device(name)?.dax;
  const holder = {};
  dax?.holderGet(holder, { notifyFailure: () => undefined });
  if (dax !== undefined) holders.set(name, holder);
}

function put({ bus, holders }: World, name: string): void {
  const dax = bus.device(name)?.dax;
  const holder = holders.get(name);
  if (dax === undefined || holder === undefined || dax.holder !== holder) return;
  dax.holderPut(holder);
  holders.delete(name);
}

function toggle(bus: Bus, at: number): void {
  const block = pick([...bus.memoryBlocks.list], at);
  if (block !== undefined)
    bus.memoryBlocks.setState(block.id, block.state === 'online' ? 'offline' : 'online_movable');
}
