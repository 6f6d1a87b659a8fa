/** One process of the soak: a role, or a control. Works for as long as an epoch takes, closes all, and tells what it has then. */
import { isError } from '../../src/libc/index.js';
import { ParentPipe } from '../steps/pipes.js';
import { randomFrom } from '../steps/tool.js';
import { type Figures, figuresNow } from './figures.js';
import { controls } from './leaks.js';
import { roles } from './roles.js';

export interface ChildConfig {
  role: string;
  directory: string;
  /** Where the machine's memory lies. */
  memory: string;
  root: string;
  index: number;
  seed: number;
}

export type Word = { epochMs: number };
export interface Answer {
  figures: Figures;
  operations: number;
  errors: string[];
}

/** Handles that are dropped with the garbage are given back a turn later. */
const COLLECTIONS = 2;

const config = JSON.parse(process.argv[3]!) as ChildConfig;
const pipe = new ParentPipe(process.argv[2]!);
const role = roles[config.role] ?? controls[config.role]!.role;
const random = randomFrom(config.seed);
const collect = (globalThis as { gc?: () => void }).gc!;

async function epoch(milliseconds: number): Promise<Pick<Answer, 'operations' | 'errors'>> {
  const errors: string[] = [];
  let operations = 0;
  try {
    const session = await role({ ...config, random });
    try {
      const end = performance.now() + milliseconds;
      while (performance.now() < end && (await session.step(operations))) {
        operations++;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      await session.close();
    }
  } catch (error) {
    errors.push(isError(error) ? `${error.message}\n${error.stack}` : String(error));
  }
  return { operations, errors };
}

async function quiet(): Promise<void> {
  for (let i = 0; i < COLLECTIONS; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (;;) {
  const { epochMs } = pipe.hear() as Word;
  const done = await epoch(epochMs);
  await quiet();
  pipe.say({ ...done, figures: figuresNow(config.memory) } satisfies Answer);
}
