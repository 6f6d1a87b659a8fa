/** Damaged images, read by one Python process that goes on from case to case, and by udax: both give the same names. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { mountFamfs } from '../../../src/index.js';
import { HOST, imageOf, makeBases } from '../images.js';
import { assert, isAnswer, type Target } from '../target.js';
import { MappedDevice } from './volume.js';

const MOST_MILLISECONDS = 30_000;
const MOST_KIB = 400 * 1024;
const folder = path.resolve('clients/python');

interface Answer {
  names?: [string, boolean, number, number, number, number][];
  code?: string;
  kib: number;
}

class PythonTarget implements Target {
  readonly name = 'python';
  readonly share = 15;
  readonly missing =
    spawnSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 9)']).status === 0
      ? ''
      : 'there is no python3 of 3.9 or later';
  #mapped: MappedDevice | undefined;
  #child: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;
  #errors = '';

  open(directory: string): void {
    if (this.missing !== '') return;
    process.env.UDAX_SYSTEM_UUID = HOST;
    makeBases();
    this.#mapped = new MappedDevice(directory);
    this.#child = spawn('python3', ['-m', 'tests.fuzz_child'], {
      cwd: folder,
      env: { ...process.env, PYTHONPATH: path.join(folder, 'src'), PYTHONDONTWRITEBYTECODE: '1' },
    });
    this.#child.stderr!.on('data', (data: Buffer) => {
      this.#errors = (this.#errors + String(data)).slice(-3000);
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async run(recipe: readonly number[]): Promise<void> {
    if (this.#mapped === undefined) return;
    const head = imageOf(recipe);
    this.#mapped.load(head);
    const { names, code, kib } = await this.#ask(this.#mapped.file);
    assert(this.#mapped.isStill(head), 'Python wrote to a medium that it only reads');
    assert(kib < MOST_KIB, `Python takes ${kib} KiB`);
    const [expected, refusal] = namesOf(this.#mapped.file);
    assert(code === refusal, `Python says ${code}, udax ${refusal}`);
    assert(
      JSON.stringify(names) === JSON.stringify(expected),
      `Python reads ${JSON.stringify(names)}, udax ${JSON.stringify(expected)}`,
    );
  }

  async #ask(image: string): Promise<Answer> {
    this.#child!.stdin!.write(`${JSON.stringify({ image })}\n`);
    const watchdog = setTimeout(() => this.#child!.kill('SIGKILL'), MOST_MILLISECONDS);
    const { value, done } = await this.#lines!.next();
    clearTimeout(watchdog);
    assert(!done, `the Python process ended (${this.#child!.signalCode}): ${this.#errors}`);
    return JSON.parse(value) as Answer;
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#mapped?.close();
  }
}

/** What udax reads: names in the order of Python's sort, or the code of its refusal. */
function namesOf(image: string): [Answer['names'], string | undefined] {
  try {
    const volume = mountFamfs(image, { readOnly: true });
    try {
      const names: NonNullable<Answer['names']> = [...volume.walk()].map((stat) => [
        stat.path,
        stat.isDirectory(),
        stat.size,
        stat.mode & 0o7777,
        stat.uid,
        stat.gid,
      ]);
      return [inCodePointOrder(names), undefined];
    } finally {
      volume.close();
    }
  } catch (error) {
    if (!isAnswer(error)) throw error;
    return [undefined, (error as Error & { code: string }).code];
  }
}

function inCodePointOrder<T extends [string, ...unknown[]]>(rows: T[]): T[] {
  const points = (text: string) => Array.from(text, (character) => character.codePointAt(0)!);
  return rows.sort(([one], [other]) => {
    const [a, b] = [points(one), points(other)];
    const at = a.findIndex((point, i) => point !== b[i]);
    return at < 0 ? a.length - b.length : a[at]! - (b[at] ?? -1);
  });
}

export const pythonTarget: Target = new PythonTarget();
