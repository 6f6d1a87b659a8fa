/** Command lines. The parser gets all commands; only commands that touch nothing but their own machine or image are run. */
import fs from 'node:fs';
import path from 'node:path';
import { CommanderError } from 'commander';
import { catalog, type Invocation } from '../../../src/cli/catalog/index.js';
import { createContext, type GlobalOptions } from '../../../src/cli/context.js';
import { describeError, statusOf } from '../../../src/cli/errors.js';
import { buildProgram, usageMessage } from '../../../src/cli/program.js';
import { mkfs, openMachine } from '../../../src/index.js';
import { nastyName, nastyText, Random } from '../random.js';
import { assert, Finding, isAnswer, type Target } from '../target.js';

/** Commands that start programs, mount, wait, or look at the host. */
const NOT_RUN = new Set([
  'up',
  'mount',
  'umount',
  'sysfs',
  'shell',
  'explore',
  'replay',
  'doctor',
  'pcq',
  'logplay',
  'holders',
]);
const RUN_EVERY = 4;

class CliTarget implements Target {
  readonly name = 'cli';
  readonly share = 5;
  #directory = '';
  #root = '';
  #words: string[] = [];

  open(directory: string): void {
    this.#directory = directory;
    this.#root = path.join(directory, 'state');
    this.#make();
    const flags = catalog.flatMap(({ options = [] }) =>
      options.flatMap(([text]) => text.split(/[ ,]+/).filter((word) => word.startsWith('-'))),
    );
    this.#words = [
      ...new Set(flags),
      'dax0.0',
      'dax0.1',
      'dax0.0:/',
      'dax0.0:/a',
      'dax0.0:/d/b',
      'dax9.9:/x',
      'dax0.0:',
      ':',
      '/',
      '0',
      '1',
      '4096',
      '2M',
      '32MiB',
      '1e9',
      '-1',
      '0x200000',
      'devdax',
      'famfs',
      'system-ram',
      '--',
      '',
      path.join(directory, 'host'),
      path.join(directory, 'out'),
      '--json',
      '--help',
      '0644',
      '99999999999999999999',
      'constructor',
      '__proto__',
    ];
  }

  #make(): void {
    fs.rmSync(this.#root, { recursive: true, force: true });
    const machine = openMachine(this.#root, { create: true });
    machine.createRegion({ size: 2 ** 25, sparse: true });
    machine.reconfigure('dax0.0', 'famfs');
    mkfs(machine.device('dax0.0'));
    machine.close();
    fs.writeFileSync(path.join(this.#directory, 'host'), 'host file');
  }

  async run(recipe: readonly number[]): Promise<void> {
    for (const seed of recipe) await this.#line(new Random(seed));
  }

  async #line(random: Random): Promise<void> {
    const spec = random.pick(catalog);
    const words = Array.from({ length: random.below(6) }, () =>
      random.once(10)
        ? nastyText(random, random.pick(this.#words))
        : random.once(20)
          ? nastyName(random).toString('latin1')
          : random.pick(this.#words),
    );
    const argv = [
      'node',
      'udax',
      '--root',
      this.#root,
      ...(random.once(3) ? ['--json'] : []),
      random.once(30) ? nastyName(random).toString() : spec.name,
      ...words,
    ];
    const line = JSON.stringify(argv.slice(2));
    let asked: Invocation | undefined;
    const program = buildProgram(catalog, (invocation) => {
      asked = invocation;
    });
    program.configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} });
    for (const command of program.commands)
      command.configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} });
    try {
      program.parse(argv);
    } catch (error) {
      if (!(error instanceof CommanderError)) throw new Finding(`${line}: ${(error as Error).stack}`);
      assert(
        ![...describeError(new Error(usageMessage(error, catalog, '')), '')].some(
          (letter) => letter < '\t' || letter === '\u001b',
        ),
        `${line}: control characters reach the terminal`,
      );
      return;
    }
    if (asked !== undefined && !NOT_RUN.has(asked.spec.name) && random.once(RUN_EVERY))
      await this.#runCommand(asked, program.opts(), line);
  }

  async #runCommand(
    { spec, args, options }: Invocation,
    globals: GlobalOptions,
    line: string,
  ): Promise<void> {
    if (globals.kernel || globals.setMode || globals.root !== this.#root) return;
    // Skips words that name other places of this host, or input that never ends.
    const given = [...args, ...Object.values(options).map(String)];
    if (
      given.some(
        (word) =>
          word.includes('..') || (/^[/.~]/.test(word) && !word.startsWith(this.#directory)) || word === '-',
      )
    )
      return;
    const context = {
      ...createContext(globals),
      output: { print() {}, document() {}, bytes: async () => {}, note() {} },
      show: (document: unknown, text: () => string) => void [JSON.stringify(document), text()],
    };
    const cwd = process.cwd();
    process.chdir(this.#directory);
    try {
      const body = await spec.load();
      await body(context, args, options as never);
    } catch (error) {
      const isKnown =
        isAnswer(error) || ['UsageError', 'AlreadyReported', 'AbortError'].includes((error as Error).name);
      if (!isKnown) throw new Finding(`${line}: ${(error as Error).stack}`);
      assert([1, 2, 130].includes(statusOf(error)), `${line}: exit status ${statusOf(error)}`);
    } finally {
      process.chdir(cwd);
      if (!fs.existsSync(path.join(this.#root, 'machine.json'))) this.#make();
    }
  }

  close(): void {}
}

export const cliTarget: Target = new CliTarget();
