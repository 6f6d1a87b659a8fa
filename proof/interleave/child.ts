/** One of the two processes. It runs its actor and stops before each step until the schedule lets it continue. */
import { isError } from '../../src/libc/index.js';
import { CacheLines } from '../steps/cache-lines.js';
import { clock, installClock } from '../steps/clock.js';
import { ParentPipe } from '../steps/pipes.js';
import { type StepKind, seams } from '../steps/seams.js';
import { applyMutant } from './mutants.js';
import { protocolNamed } from './protocols/index.js';
import type { Actor, Told, World } from './types.js';

export interface ChildConfig {
  me: 0 | 1;
  mutant?: string;
}

/** The message of a process that has stopped. */
export interface Stopped {
  step: string;
  kind: StepKind;
  /** It asks again for a lock that another process had. */
  isRetry: boolean;
}

export type Word =
  | { do: 'open'; protocol: string; world: World }
  | { do: 'run'; run: number }
  | { do: 'after'; run: number }
  | { do: 'close' };
export type Go = { go: 'on' | 'write-back' | 'fetch' };

const config = JSON.parse(process.argv[3]!) as ChildConfig;
const pipe = new ParentPipe(process.argv[2]!);
const { me } = config;
/** The cache of this process's host, when the host has its own caches. */
let lines: CacheLines | undefined;
seams.lines = {
  mapped: (...about) => lines?.mapped(...about),
  unmapped: (address) => lines?.unmapped(address),
  persist: (address, length) => lines!.persist(address, length),
  flush: (address, length) => lines!.flush(address, length),
};
installClock();
if (config.mutant) applyMutant(config.mutant);

// biome-ignore lint/suspicious/noExplicitAny: each actor knows its own state, nobody else looks at it
let actor: Actor<any>;
let world: World;
let state: unknown;
let isRunning = false;
let isInside = false;
let wasRefused = false;

seams.onLockRefused = () => {
  wasRefused = true;
};
seams.onStep = (kind, step) => {
  if (!isRunning || isInside) return;
  isInside = true;
  const stopped: Stopped = { step, kind, isRetry: wasRefused };
  wasRefused = false;
  pipe.say(stopped);
  for (;;) {
    const { go } = pipe.hear() as Go;
    if (go === 'on') break;
    // The cache acts by itself; the process stays where it is.
    lines?.actByItself(go);
    pipe.say({ ...stopped, isRetry: false });
  }
  isInside = false;
};

async function run(number: number): Promise<Told> {
  clock.now += 1000;
  clock.waited = 0;
  isRunning = true;
  try {
    const value = await actor.run(state, number, world);
    return { ...(value !== undefined && { value }), waited: clock.waited };
  } catch (error) {
    if (!isError(error)) throw error;
    const code = String((error as { code?: unknown }).code ?? error.name);
    return { error: { code, message: error.message }, waited: clock.waited };
  } finally {
    isRunning = false;
    wasRefused = false;
  }
}

function open(protocol: string, where: World): void {
  world = where;
  const { caches, uuids, roots } = world;
  lines = caches && new CacheLines(caches[me]);
  process.env.UDAX_SYSTEM_UUID = uuids[roots[0] === roots[1] ? 0 : me];
  actor = protocolNamed(protocol).actors[me];
  state = actor.open(world, me);
}

function close(): void {
  actor.close(state);
  lines?.close();
  lines = undefined;
}

async function answer(word: Word): Promise<unknown> {
  if (word.do === 'run') return { told: await run(word.run) };
  if (word.do === 'open') open(word.protocol, word.world);
  if (word.do === 'after') return { after: actor.after?.(state, word.run) };
  if (word.do === 'close') close();
  return { done: true };
}

for (;;) {
  const word = pipe.hear() as Word;
  try {
    pipe.say(await answer(word));
  } catch (error) {
    pipe.say({ failed: isError(error) ? `${error.message}\n${error.stack}` : String(error) });
  }
}
