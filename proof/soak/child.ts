/**
 * One process of the soak, with a role or a control. It works for the length of an epoch, closes everything, and reports its
 * figures.
 */
import { isError } from '../../src/libc/index.js';
import { ParentPipe } from '../steps/pipes.js';
import { randomFrom } from '../steps/tool.js';
import { type Figures, figuresNow } from './figures.js';
import { controls } from './leaks.js';
import { roles } from './roles.js';

export interface ChildConfig {
  role: string;
  directory: string;
  /** Directory of the machine's memory. */
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

/** A dropped handle is released one turn after its collection. */
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
