/**
 * Calls public functions with wrong values, and says which answered with anything but a DaxError (or AbortError, or
 * success where a value was legal). Works in its own directory only; argv: that directory. stdin: PublicFunction[].
 */
import fs from 'node:fs';
import { join } from 'node:path';
import * as udax from 'udax';
import * as arenas from 'udax/arena';
import * as formats from 'udax/formats';
import * as mounts from 'udax/mounts';

const directory = process.argv[2];
process.chdir(directory);
const functions = JSON.parse(fs.readFileSync(0, 'utf8'));
const modules = { udax, 'udax/arena': arenas, 'udax/mounts': mounts, 'udax/formats': formats };
const reference = (name) => fs.readFileSync(new URL(`../../conformance/formats/${name}`, import.meta.url));
const MIB = 2 ** 20;
const PENDING_MS = 5000;
const WAITING_MS = 10;
/** These wait for others when nothing is wrong with their arguments. */
const WAITS = new Set(['Queue.get', 'Queue.put', 'VolumeWatcher.next']);

const WRONG = [
  ['undefined', undefined],
  ['null', null],
  ['NaN', Number.NaN],
  ['-1', -1],
  ['1.5', 1.5],
  ['2 ** 53', 2 ** 53],
  ['1e308', 1e308],
  ['7n', 7n],
  ["''", ''],
  ["'x'", 'x'],
  ["'1MiB'", '1MiB'],
  ['true', true],
  ['{}', {}],
  ['[]', []],
  ['Object.create(null)', Object.create(null)],
  ["Symbol('s')", Symbol('s')],
  ['() => 1', () => 1],
  ['new Float32Array(3)', new Float32Array(3)],
  ['new Date(0)', new Date(0)],
];

/** What a function may be called on, and what is thrown away after it. */
class World {
  static #made = 0;
  root = join(directory, `world-${World.#made++}`);
  #ends = [];

  volume() {
    this.openVolume ??= this.#ending(udax.openVolume(this.root, { size: 64 * MIB }));
    if (!this.openVolume.exists('/file')) {
      this.openVolume.create('/file', { size: 4096 }).close();
      arenas.createArena(this.openVolume, '/arena', { size: MIB, slots: 16 });
      udax.createQueue(this.openVolume, '/queue', { nbuckets: 4, bucketSize: 64 });
    }
    return this.openVolume;
  }

  machine() {
    if (!this.openMachine) {
      this.openMachine = this.#ending(udax.openMachine(this.root, { create: true }));
      this.openMachine.createRegion({ size: 64 * MIB });
      this.openMachine.createRegion({ size: 256 * MIB, sparse: true });
    }
    return this.openMachine;
  }

  file = () => this.#ending(this.volume().open('/file', { writable: true }));
  arena() {
    const arena = this.#ending(arenas.openArena(this.volume(), '/arena'));
    arena.put('x', Uint8Array.of(1));
    return arena;
  }

  member() {
    const bytes = reference('stored.npz');
    const volume = this.volume();
    if (!volume.exists('/archive')) {
      const file = volume.create('/archive', { size: bytes.length });
      file.write(bytes, 0);
      file.close();
    }
    return this.#ending(volume.open('/archive')).members().values().next().value;
  }

  openDax = () => this.#ending(this.machine().openDax('dax0.0', { writable: true }));

  node() {
    const machine = this.machine();
    machine.reconfigure('dax1.0', 'system-ram', { online: true });
    return machine.node(machine.devices().find(({ name }) => name === 'dax1.0').targetNode);
  }

  device() {
    const machine = this.machine();
    machine.reconfigure('dax0.0', 'famfs');
    return machine.device('dax0.0');
  }

  instance(owner) {
    const made = {
      '': () => undefined,
      Volume: () => this.volume(),
      VolumeChanges: () => this.volume(),
      VolumeFile: this.file,
      FileMember: () => this.member(),
      FileLock: () => this.file().lock(),
      FileStat: () => this.volume().stat('/file'),
      VolumeFs: () => this.volume().fs,
      'VolumeFs.promises': () => this.volume().fs.promises,
      VolumeWatcher: () => this.#ending(this.volume().watch({ persistent: false })),
      Queue: () => this.#ending(udax.openQueue(this.volume(), '/queue', { role: 'both' })),
      Arena: () => this.arena(),
      ArenaValue: () => this.arena().get('x'),
      Reservation: () => this.arena().reserve('y', 8),
      DaxMachine: () => this.machine(),
      Machine: () => this.machine(),
      MachineDevice: () => this.device(),
      OpenDax: this.openDax,
      MemoryNodeHandle: () => this.node(),
      NodeBuffer: () => this.node().alloc(4096),
      Sysfs: () => udax.sysfs(this.machine()),
      Bus: () => this.machine(),
      DaxctlTree: () => this.machine(),
      ReadonlyUint8Array: () => new Uint8Array(48),
      Tensor: () => formats.parseNpy(reference('f4.npy')).array,
      TensorFile: () => formats.parseNpy(reference('f4.npy')),
      Npy: () => formats.parseNpy(reference('f4.npy')),
      Npz: () => formats.parseNpz(reference('stored.npz')),
      Safetensors: () => formats.parseSafetensors(reference('all.safetensors')),
      Gguf: () => formats.parseGguf(reference('all.gguf')),
      GgufMetadata: () => formats.parseGguf(reference('all.gguf')).metadata,
      Arrow: () => formats.parseArrow(reference('all.arrow')),
      ArrowVector: () => formats.parseArrow(reference('all.arrow')).column('text')[0],
    }[owner];
    if (!made) throw new Error(`no way is known to make a ${owner}`);
    return made();
  }

  /** A legal value, or one that is near enough that the next argument is looked at. */
  plausible(value, owner) {
    switch (value.kind) {
      case 'text':
        return owner.startsWith('Volume') ? '/file' : owner === '' ? '/queue' : 'dax0.0';
      case 'number':
        return 0;
      case 'flag':
        return false;
      case 'bytes':
        return new Uint8Array(48);
      case 'callback':
        return () => undefined;
      case 'list':
        return [];
      case 'signal':
        return new AbortController().signal;
      case 'one of':
        return value.words[0];
      case 'instance':
        try {
          return this.instance(value.of);
        } catch {
          return undefined;
        }
      case 'options': {
        const required = Object.entries(value.fields).filter(([, field]) => !field.isOptional);
        return Object.fromEntries(
          required.map(([name, field]) => [name, this.plausible(field.value, owner)]),
        );
      }
      default:
        return undefined;
    }
  }

  #ending(what) {
    this.#ends.push(what);
    return what;
  }

  end() {
    for (const what of this.#ends.reverse()) what.close();
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

/** Each argument wrong while the others are plausible; each option wrong; one that is not known; too few. */
function* callsOf({ owner, parameters }, world) {
  const good = () => parameters.map((each) => world.plausible(each, owner));
  for (let count = 0; count < parameters.length; count++) yield ['too few', good().slice(0, count)];
  for (const [index, parameter] of parameters.entries()) {
    for (const [shown, wrong] of WRONG) yield [`argument ${index}: ${shown}`, good().with(index, wrong)];
    if (parameter.kind !== 'options') continue;
    for (const name of [...Object.keys(parameter.fields), 'mispelled']) {
      for (const [shown, wrong] of WRONG) {
        yield [
          `argument ${index}: { ${name}: ${shown} }`,
          good().with(index, { ...good()[index], [name]: wrong }),
        ];
      }
    }
  }
}

function isRight(error) {
  return error instanceof udax.DaxError || error?.name === 'AbortError';
}

const failures = [];
let calls = 0;
for (const each of functions) {
  const { owner, name, module } = each;
  const called = owner === '' ? name : `${owner}.${name}`;
  const world = new World();
  const self = world.instance(owner);
  for (const [shown, given] of callsOf(each, world)) {
    calls++;
    fs.writeFileSync(join(directory, 'now'), `${called}: ${shown}`);
    try {
      const result = owner === '' ? modules[module][name](...given) : self[name](...given);
      const settled =
        typeof result?.then === 'function'
          ? await Promise.race([
              result,
              new Promise((resolve) =>
                setTimeout(resolve, WAITS.has(called) ? WAITING_MS : PENDING_MS, WAITS),
              ),
            ])
          : result;
      if (settled === WAITS) {
        result.catch(() => {});
        if (!WAITS.has(called)) failures.push({ called, shown, error: 'does not settle' });
      }
      const end = settled?.close ?? settled?.release ?? settled?.free;
      if (typeof end === 'function' && settled !== WAITS) end.call(settled);
      else if (Symbol.asyncIterator in Object(settled)) await settled.return?.();
      else if (typeof settled?.next === 'function' && !Array.isArray(settled)) for (const _ of settled) break;
    } catch (error) {
      if (!isRight(error)) failures.push({ called, shown, error: `${error?.name}: ${error?.message}` });
    }
  }
  world.end();
}
fs.writeFileSync(join(directory, 'result.json'), JSON.stringify({ calls, failures }));
process.exit(0);
