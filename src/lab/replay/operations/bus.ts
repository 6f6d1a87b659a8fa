/** Region providers, modules, and the state of the whole bus. */
import { fail } from '../../../libc/index.js';
import { ueventLines } from '../../../tree/index.js';
import { maskNd } from '../paths.js';
import type { Arguments } from '../transcript.js';
import { answer, done, type OperationTable, type World } from '../world.js';

export const busOperations: OperationTable = {
  attach(world, args) {
    world.platform.attach(args.text('source'));
    return done();
  },
  detach(world, args) {
    world.platform.detach(args.text('source'));
    return done();
  },
  insmod(world, args) {
    const name = moduleName(world, args);
    if (!isTestModule(name)) world.bus.insmod(name);
    else if (world.platform.otherModules.has(name)) fail('EEXIST', `${name} is loaded already`);
    else world.platform.otherModules.add(name);
    return done();
  },
  rmmod(world, args) {
    const name = moduleName(world, args);
    if (!isTestModule(name)) world.bus.rmmod(name);
    else if (!world.platform.otherModules.delete(name)) fail('ENOENT', `${name} is not loaded`);
    return done();
  },
  modules: (world) => done(world.platform.modules()),
  iomem: (world) => done(world.platform.iomem()),
  driver(world, args) {
    const name = args.text('device');
    const device = world.bus.device(name) ?? fail('ENOENT', `no device ${name}`, { path: name });
    return done(device.driver);
  },
  uevents(world) {
    const uevents = world.bus.takeUevents();
    return done(uevents.map((uevent) => ueventLines(uevent, world.platform.place).map(maskNd)));
  },
  state: (world) => done({ devices: deviceStates(world), regions: regionStates(world) }),
};

/** The module of a step. EPERM unless root: only root loads and unloads modules. */
function moduleName(world: World, args: Arguments): string {
  const { uid } = world.caller(args);
  if (uid !== 0) fail('EPERM', `modules are not for uid ${uid}`);
  return args.text('module');
}

function isTestModule(name: string): boolean {
  return name === 'hwpoison_inject';
}

interface AttributeError {
  errno: string;
}

/** Reads an attribute through the tree, as the recorder did. */
function read<T>(world: World, path: string, convert: (text: string) => T): T | AttributeError {
  const result = answer(() => done(world.sysfs.read(path)));
  return result.ok ? convert(String(result.value).replace(/\n$/, '')) : { errno: result.errno ?? 'EIO' };
}

function deviceStates(world: World): Record<string, unknown> {
  const states: Record<string, unknown> = {};
  for (const name of world.sysfs.readdir('bus/dax/devices')) {
    const here = `bus/dax/devices/${name}`;
    states[name] = {
      driver: world.bus.device(name)?.driver ?? null,
      size: read(world, `${here}/size`, Number),
      align: read(world, `${here}/align`, Number),
      mappings: mappingStates(world, here),
      node: world.bus.device(name) !== undefined,
    };
  }
  return states;
}

function mappingStates(world: World, device: string): unknown[] {
  const mappings: unknown[] = [];
  for (let n = 0; world.sysfs.exists(`${device}/mapping${n}`); n += 1) {
    const attribute = (name: string) => read(world, `${device}/mapping${n}/${name}`, String);
    mappings.push({
      n,
      start: attribute('start'),
      end: attribute('end'),
      page_offset: attribute('page_offset'),
    });
  }
  return mappings;
}

function regionStates(world: World): unknown[] {
  return world.platform.regions().map((region) => {
    const here = `devices/${world.platform.place(region)}/dax_region`;
    const state: Record<string, unknown> = {
      id: read(world, `${here}/id`, Number),
      size: read(world, `${here}/size`, Number),
      align: read(world, `${here}/align`, Number),
      available_size: read(world, `${here}/available_size`, Number),
    };
    for (const name of ['create', 'seed']) {
      if (world.sysfs.exists(`${here}/${name}`)) state[name] = read(world, `${here}/${name}`, String);
    }
    return state;
  });
}
