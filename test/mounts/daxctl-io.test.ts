import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMachine, sysfs } from '../../src/index.js';
import { kitJson, nameOf, transcripts } from '../support/conformance.js';
import { because, Place } from './support.js';

/** What daxctl 76 and 85 did with files on a real kernel, call by call (conformance/dax/daxctl-io, recorded with strace). */
const recordings = transcripts('dax/daxctl-io').filter((file) => nameOf(file) !== 'SUMMARY');

interface Call {
  op: string;
  path?: string;
  data?: string;
  target?: string;
  errno?: string;
  args?: string;
}
interface Recording {
  setup: { regions: { kind: string; start: number; size: number }[] };
  before: { op: string; source?: string; module?: string; path?: string; data?: string }[];
  commands: { cmd: string; io: Call[] }[];
}

const why = because;
const MODULES = ['device_dax', 'fsdev_dax', 'kmem'];
const REGION = '/sys/devices/platform/hmem_platform.0/hmem.';
/** Memory blocks are numbered from address 0 in both; a block is 128 MiB. */
const BLOCK_BYTES = 2 ** 27;

describe.skipIf(why !== '')(
  `every file operation of daxctl, on the mounted tree as on a real kernel${why}`,
  () => {
    let place: Place;
    beforeEach(() => {
      place = new Place();
    });
    afterEach(() => place.close());

    it.each(recordings.map(nameOf))('%s', (name) => {
      const recording = kitJson<Recording>('dax/daxctl-io', `${name}.json.gz`);
      const replay = new Replay(place, recording);
      replay.prepare();
      for (const { cmd, io } of recording.commands) {
        const { ours, theirs } = replay.run(io);
        expect([cmd, ours]).toEqual([cmd, theirs]);
        expect(theirs.length).toBeGreaterThan(10);
      }
    });
  },
);

class Replay {
  readonly #place: Place;
  readonly #recording: Recording;
  /** Start addresses of the regions here, by number. */
  readonly #bases: number[] = [];
  #at = '';

  constructor(place: Place, recording: Recording) {
    this.#place = place;
    this.#recording = recording;
  }

  prepare(): void {
    this.#onMachine((machine) =>
      machine.change((bus) => {
        for (const { name } of [...bus.modules].reverse()) bus.rmmod(name);
      }),
    );
    for (const { op, source, module, path, data } of this.#recording.before) {
      if (op === 'attach') this.#attach(source!);
      else if (op === 'insmod') this.#insmod(module!);
      else this.#onMachine((machine) => sysfs(machine).write(path!, data!));
    }
    this.#at = this.#place.mountpoint();
    expect(this.#place.udax('sysfs', this.#at)).toMatchObject({ status: 0, stderr: '' });
  }

  /** hmem attaches device .0 of each region at its full size; hmem_idle leaves the regions empty. */
  #attach(source: string): void {
    for (const { kind, size } of this.#recording.setup.regions) {
      if (kind !== 'hmem') continue;
      this.#onMachine((machine) => {
        const region = machine.createRegion({ size, type: 'kmem', sparse: true, targetNode: 1 });
        this.#bases.push(region.hpa);
        if (source === 'hmem_idle') sysfs(machine).write(`bus/dax/devices/${region.devices[0]}/size`, '0');
      });
    }
  }

  #insmod(name: string): void {
    this.#onMachine((machine) => {
      if (machine.bus.modules.every((module) => module.name !== name))
        machine.change((bus) => bus.insmod(name));
    });
  }

  #onMachine(use: (machine: ReturnType<typeof openMachine>) => void): void {
    const machine = openMachine(this.#place.root, { create: true });
    try {
      use(machine);
    } finally {
      machine.close();
    }
  }

  /** Makes all calls that concern the tree of udax. Returns the results here and in the recording. */
  run(io: readonly Call[]): { ours: string[]; theirs: string[] } {
    const ours: string[] = [];
    const theirs: string[] = [];
    for (const [number, call] of io.entries()) {
      if (call.op === 'finit_module') this.#insmod(/(\w+)\.ko/.exec(call.args!)![1]!);
      if (call.path === undefined || !this.#isOurs(call.path)) continue;
      const said = `${number} ${call.op} ${call.path}${call.op === 'write' ? ` ${call.data}` : ''}: `;
      theirs.push(said + (call.errno ?? answerOf(call)));
      ours.push(said + this.#act(call));
    }
    return { ours, theirs };
  }

  #act({ op, path, data }: Call): string {
    const here = join(this.#at, this.#pathHere(path!));
    try {
      switch (op) {
        case 'readlink':
          return this.#asThere(fs.readlinkSync(here));
        case 'readdir':
          return fs.readdirSync(here).length > 0 ? 'ok' : 'empty';
        case 'read':
          return JSON.stringify(this.#valueThere(path!, fs.readFileSync(here, 'latin1')));
        case 'write':
          fs.writeFileSync(here, unescaped(data!));
          return 'ok';
        case 'open':
        case 'open-w':
          fs.closeSync(fs.openSync(here, op === 'open' ? 'r' : fs.constants.O_WRONLY));
          return 'ok';
        default:
          fs.statSync(here);
          return 'ok';
      }
    } catch (error) {
      return (error as NodeJS.ErrnoException).code!;
    }
  }

  /** Distance of a recorded memory block from the one here, in blocks; null for blocks of the recording's own host. */
  #blockShift(path: string): number | null {
    const address = Number(/\/memory(\d+)\//.exec(path)?.[1]) * BLOCK_BYTES;
    const region = this.#recording.setup.regions.findIndex(
      ({ start, size }) => address >= start && address < start + size,
    );
    return region < 0
      ? null
      : (this.#bases[region]! - this.#recording.setup.regions[region]!.start) / BLOCK_BYTES;
  }

  /** Whether a path is in the part of /sys that an emulated machine has. */
  #isOurs(path: string): boolean {
    if (path.startsWith(REGION)) return true;
    const module = /^\/sys\/module\/(\w+)/.exec(path);
    if (module) return MODULES.includes(module[1]!);
    if (/\/memory\d+\//.test(path)) return this.#blockShift(path) !== null;
    return /^\/sys\/(bus\/dax|dev\/char\/|devices\/system\/(memory|node))/.test(path);
  }

  #pathHere(path: string): string {
    const moved = path
      .replace(/^\/sys\/devices\/platform\/hmem_platform\.0(\/hmem\.(?=\d))?/, (_all, region) =>
        region ? '/sys/devices/udax/region' : '/sys/devices/udax',
      )
      .replace('/sys/devices/platform', '/sys/devices/udax')
      .replace(/\/memory(\d+)\//, (_all, block) => `/memory${Number(block) + this.#blockShift(path)!}/`)
      .replace(/\/dev\/char\/.*/, (all) => this.#charHere(all));
    return moved.slice('/sys'.length);
  }

  /** Device numbers differ between machines. In the recording, the link's target tells which device it looked at. */
  #charHere(path: string): string {
    const device = this.#charOf.get(path);
    return device === undefined
      ? path
      : `/dev/char/${fs.readFileSync(`${this.#at}/${device}/dev`, 'latin1').trim()}`;
  }

  get #charOf(): Map<string, string> {
    const map = new Map<string, string>();
    for (const { io } of this.#recording.commands)
      for (const { op, path = '', target = '' } of io) {
        const at = path.indexOf('/dev/char/');
        const device = /hmem\.(\d)\/(dax[\d.]+)$/.exec(target);
        if (op === 'readlink' && at >= 0 && device)
          map.set(path.slice(at), `devices/udax/region${device[1]}/${device[2]}`);
      }
    return map;
  }

  #asThere(target: string): string {
    const moved = target.replace(/devices\/udax\/region(\d)/, 'devices/platform/hmem_platform.0/hmem.$1');
    // The regions here are one directory nearer to the root.
    return /\/(bus|module)\//.test(moved) && moved.startsWith('../../../../bus') ? `../${moved}` : moved;
  }

  /** Converts addresses and block numbers to those of the recording's machine. */
  #valueThere(path: string, value: string): string {
    const { regions } = this.#recording.setup;
    const region = Number(/hmem\.(\d)/.exec(path)?.[1] ?? -1);
    if (region >= 0 && /\/(resource|start|end)$/.test(path) && Number(value) !== 0) {
      return `0x${(Number(value) - this.#bases[region]! + regions[region]!.start).toString(16)}\n`;
    }
    if (path.endsWith('/phys_index')) {
      return `${(Number.parseInt(value, 16) - this.#blockShift(path)!).toString(16).padStart(8, '0')}\n`;
    }
    return value;
  }
}

function answerOf({ op, data, target }: Call): string {
  if (op === 'readlink') return target!;
  return op === 'read' ? JSON.stringify(unescaped(data!)) : 'ok';
}

function unescaped(text: string): string {
  return text.replace(/\\n/g, '\n').replace(/\\0/g, '\0');
}
