import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMachine, sysfs } from '../../src/index.js';
import { kitJson } from '../support/conformance.js';
import { because, have, output, Place } from './support.js';

interface Step {
  op: string;
  path?: string;
  data?: string;
  source?: string;
  module?: string;
  argv?: string[];
  result: { exit?: number; stdout?: string; stderr?: string; value?: unknown };
}
interface Scenario {
  name: string;
  setup: { regions: { kind: string; start: number; size: number }[] };
  steps: Step[];
}

/** The answers of daxctl 76 on a real kernel, step by step (conformance/dax/SCHEMA.md). */
const recorded = kitJson<Scenario[]>('dax', 'daxctl.json.gz');
/** Scenarios that a machine of the command line can be put into: its modules are always available. */
const scenarios = recorded.filter(
  ({ name }) => name.startsWith('daxctl.v76-') && !name.endsWith('nomodules'),
);

const versionIs76 = have('daxctl') && output('daxctl --version').startsWith('76');
const why = because || (versionIs76 ? '' : ' (skipped: daxctl 76 is not installed)');

describe.skipIf(why !== '')(`the real daxctl 76 on a udax machine answers as on a real kernel${why}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
  });
  afterEach(() => place.close());

  it.each(scenarios.map((scenario) => [scenario.name.slice('daxctl.v76-'.length), scenario] as const))(
    '%s',
    (_name, scenario) => {
      const runner = new Runner(place, scenario);
      runner.run();
      expect(runner.ours).toEqual(runner.theirs);
    },
  );
});

/** Steps that change something; the others only look. */
const CHANGES = new Set(['attach', 'insmod', 'write']);

interface Answer {
  command: string;
  exit: number;
  stdout: unknown;
  lastWord: string;
}

/** Runs the steps of a scenario on a machine. Consecutive commands share one namespace. */
class Runner {
  readonly ours: Answer[] = [];
  readonly theirs: Answer[] = [];
  readonly #bases: number[] = [];

  constructor(
    private readonly place: Place,
    private readonly scenario: Scenario,
  ) {}

  run(): void {
    this.#onMachine((machine) =>
      machine.change((bus) => {
        for (const { name } of [...bus.modules].reverse()) bus.rmmod(name);
      }),
    );
    const { steps } = this.scenario;
    let pending: Step[] = [];
    for (const [number, step] of steps.entries()) {
      if (step.op === 'exec') {
        // Loads beforehand what daxctl loaded here: modprobe loads no modules into a udax machine.
        const after = steps.slice(number + 1);
        const nextExec = after.findIndex(({ op }) => op === 'exec');
        const seen = (nextExec < 0 ? after : after.slice(0, nextExec)).find(({ op }) => op === 'modules');
        if (seen) {
          this.#exec(pending);
          pending = [];
          for (const module of seen.result.value as string[]) this.#insmod(module);
        }
        pending.push(step);
        continue;
      }
      if (!CHANGES.has(step.op)) continue;
      this.#exec(pending);
      pending = [];
      this.#step(step);
    }
    this.#exec(pending);
  }

  #onMachine<T>(use: (machine: ReturnType<typeof openMachine>) => T): T {
    const machine = openMachine(this.place.root, { create: true });
    try {
      return use(machine);
    } finally {
      machine.close();
    }
  }

  #step({ op, path, data, module, source }: Step): void {
    if (op === 'attach') this.#attach(source!);
    else if (op === 'insmod') this.#insmod(module!);
    else if (op === 'write') this.#onMachine((machine) => sysfs(machine).write(path!, data!));
  }

  #attach(source: string): void {
    for (const { kind, size } of this.#regions) {
      if (kind !== source.replace('_idle', '')) continue;
      this.#onMachine((machine) => {
        const place =
          kind === 'pmem' ? { static: true, targetNode: 0 } : ({ type: 'kmem', targetNode: 1 } as const);
        const region = machine.createRegion({ size, sparse: true, ...place });
        this.#bases.push(region.hpa);
        if (source.endsWith('_idle')) sysfs(machine).write(`bus/dax/devices/${region.devices[0]}/size`, '0');
      });
    }
  }

  /** The addresses of pmem regions come from conformance/dax/SCHEMA.md. */
  get #regions() {
    return this.scenario.setup.regions.map(({ kind, start, size }) =>
      kind === 'pmem' ? { kind, start: 0x180a00000, size: 502 * 2 ** 20 } : { kind, start, size },
    );
  }

  #insmod(name: string): void {
    if (!['device_dax', 'fsdev_dax', 'kmem'].includes(name)) return;
    this.#onMachine((machine) => {
      if (machine.bus.modules.every((module) => module.name !== name))
        machine.change((bus) => bus.insmod(name));
    });
  }

  #exec(steps: readonly Step[]): void {
    if (steps.length === 0) return;
    const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(' ');
    const commands = steps.map(({ argv }) =>
      quoted(argv!.map((word) => word.replaceAll('daxctl76', 'daxctl'))),
    );
    const script = commands
      .map(
        (command) => `${command} 2>/tmp/.stderr; printf '\\001%s\\002' $?; cat /tmp/.stderr; printf '\\003'`,
      )
      .join('\n');
    const { stdout, stderr } = this.place.udax(
      'shell',
      '--',
      'sh',
      '-c',
      `mount -t tmpfs none /tmp\n${script}`,
    );
    const answers = stdout.split('\u0003').slice(0, -1);
    if (answers.length !== steps.length) throw new Error(`${stdout}\n${stderr}`);
    const places = this.#regions.map(({ start }) => start);
    for (const [i, { argv, result }] of steps.entries()) {
      const [out, exit, err] = answers[i]!.replace('\u0002', '\u0001').split('\u0001');
      const command = argv!.slice(1).join(' ');
      this.ours.push(answer(command, Number(exit), out!, err!, this.#bases));
      this.theirs.push(answer(command, result.exit!, result.stdout!, result.stderr!, places));
    }
  }
}

function answer(
  command: string,
  exit: number,
  stdout: string,
  stderr: string,
  bases: readonly number[],
): Answer {
  const document = stdout.trim() === '' ? null : withoutPlaces(JSON.parse(stdout), bases, -1);
  return { command, exit, stdout: document, lastWord: stderr.trim().split('\n').at(-1)! };
}

/**
 * Paths and physical addresses differ between machines. So regions are named by number, and addresses count from their region.
 */
function withoutPlaces(value: unknown, bases: readonly number[], region: number): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutPlaces(item, bases, region));
  if (typeof value !== 'object' || value === null) return value;
  const fields = value as Record<string, unknown>;
  const chardev = /^dax(\d+)\./.exec(String(fields.chardev ?? ''));
  const here = chardev ? Number(chardev[1]) : region;
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      if (name === 'path') return [name, fields.id];
      if (name === 'start' || name === 'end') return [name, Number(field) - bases[here]!];
      return [name, withoutPlaces(field, bases, here)];
    }),
  );
}
