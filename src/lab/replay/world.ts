/** What a scenario acts on: the platform, its attribute tree, the processes. */
import { DaxError } from '../../libc/index.js';
import { accessTo, type Caller, Sysfs } from '../../tree/index.js';
import { machineShape } from './machines.js';
import { maskNd } from './paths.js';
import { Platform } from './platform.js';
import { ScenarioProcess } from './process.js';
import type { Arguments, Scenario, StepResult } from './transcript.js';

/** The process of steps that name no process. */
const MAIN_PROCESS = 'm';

/** Operations that read or write the memory itself. */
const MEMORY_OPERATIONS = new Set(['load', 'store', 'fill', 'fork_inherit']);

export class World {
  readonly platform: Platform;
  readonly sysfs: Sysfs;
  readonly processes = new Map<string, ScenarioProcess>();
  /** Nodes made by mknod: path -> device number. */
  readonly nodes = new Map<string, string>();
  /** Whether modprobe finds the modules (for daxctl). */
  readonly modulesAvailable: boolean;

  constructor(scenario: Scenario) {
    const withMemory = scenario.steps.some((step) => MEMORY_OPERATIONS.has(step.op));
    this.platform = new Platform(machineShape(scenario.setup.machine), withMemory);
    this.sysfs = new Sysfs(accessTo(this.platform.bus), { place: this.platform.place });
    // Only the scenario's description says that the host had no modules to load.
    this.modulesAvailable = !/no \/lib\/modules/.test(scenario.about ?? '');
  }

  get bus(): Platform['bus'] {
    return this.platform.bus;
  }

  process(args: Arguments): ScenarioProcess {
    const name = args.text('proc', MAIN_PROCESS);
    let process = this.processes.get(name);
    if (process === undefined) {
      process = new ScenarioProcess();
      this.processes.set(name, process);
    }
    return process;
  }

  caller(args: Arguments): Caller {
    return { uid: this.process(args).uid };
  }

  close(): void {
    for (const process of this.processes.values()) process.exit();
    this.platform.close();
  }
}

/** One operation of the schema. It throws errors of the model, and returns signals as answers. */
export type Operation = (world: World, args: Arguments) => StepResult;
export type OperationTable = Record<string, Operation>;

export function done(value?: unknown): StepResult {
  return value === undefined ? { ok: true } : { ok: true, value };
}

/** Runs an operation and returns its answer, with errors and names as in the transcripts. */
export function answer(run: () => StepResult): StepResult {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof DaxError)) throw error;
    return { ok: false, errno: error.code };
  }
}

/** A text answer with unstable names masked. */
export function textValue(text: string): StepResult {
  return done(maskNd(text));
}
