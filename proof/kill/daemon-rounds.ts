/** The daemon of a mount, killed at random while a program changes files through it. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fsck, mountFamfs, openMachine, type Volume } from '../../src/index.js';
import { randomFrom } from '../steps/tool.js';
import { makeMachine, memoryDirectory } from '../steps/world.js';

const MIB = 2 ** 20;
/** Each fsync of something new takes a unit of 2 MiB for good. */
const SIZE = 1024 * MIB;
const NAMES = 6;
/** What every call of a mount answers when its daemon is dead. */
const DEAD = ['ENOTCONN', 'ECONNABORTED', 'EIO', 'ENODEV'];

/** What may be found under a name: all that it was from the last promise (fsync) on. Null: nothing. */
interface History {
  versions: (string | null)[];
  promised: number;
}

export interface DaemonRounds {
  rounds: number;
  operations: number;
  promises: number;
  problems: string[];
}

/** Why there can be no such rounds here; '' when there can. */
export function whyNoDaemons(): string {
  if (process.geteuid?.() !== 0) return 'only root mounts here';
  return fs.existsSync('/dev/fuse') ? '' : 'there is no /dev/fuse';
}

/** Runs rounds, each with a volume and a daemon of its own. @param from the first round */
export async function daemonRounds(seed: number, from: number, rounds: number): Promise<DaemonRounds> {
  const sum: DaemonRounds = { rounds, operations: 0, promises: 0, problems: [] };
  const directory = memoryDirectory('kill-daemon');
  for (let round = from; round < from + rounds; round++) {
    const one = new DaemonRound(path.join(directory, `round${round}`), randomFrom(seed * 7919 + round));
    try {
      await one.run();
      sum.problems.push(...one.judge().map((problem) => `round ${round} (seed ${seed}): ${problem}`));
    } finally {
      one.end();
    }
    sum.operations += one.operations;
    sum.promises += one.promises;
  }
  return sum;
}

class DaemonRound {
  operations = 0;
  promises = 0;
  readonly #directory: string;
  readonly #at: string;
  readonly #random: () => number;
  readonly #names = new Map<string, History>();
  #number = 0;

  constructor(directory: string, random: () => number) {
    this.#directory = directory;
    this.#at = path.join(directory, 'mnt');
    this.#random = random;
    fs.mkdirSync(this.#at, { recursive: true });
    makeMachine({ root: this.#root, sizes: [SIZE] });
    for (let i = 0; i < NAMES; i++) this.#names.set(`name${i}`, { versions: [null], promised: 0 });
  }

  get #root(): string {
    return path.join(this.#directory, 'machine');
  }

  /** Changes files until the daemon is dead. */
  async run(): Promise<void> {
    const settle = this.#random() < 0.5 ? 0 : Math.floor(this.#random() * 300);
    const script = fileURLToPath(new URL('./daemon-child.js', import.meta.url));
    const daemon = spawn(process.execPath, [script, this.#root, this.#at, String(settle)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(daemon.stdout!, 'data');
    // This process waits for the daemon in system calls, so another one kills it.
    const seconds = (0.02 + this.#random() * 0.8).toFixed(3);
    const killer = spawn('sh', ['-c', `sleep ${seconds}; kill -9 ${daemon.pid}`], { stdio: 'ignore' });
    const gone = once(daemon, 'exit');
    try {
      for (;;) this.#change();
    } catch (error) {
      if (!DEAD.includes((error as NodeJS.ErrnoException).code ?? '')) {
        daemon.kill('SIGKILL');
        throw error;
      }
    }
    await Promise.all([gone, once(killer, 'exit')]);
    spawnSync('umount', ['-l', this.#at]);
  }

  #change(): void {
    const name = `name${Math.floor(this.#random() * NAMES)}`;
    const history = this.#names.get(name)!;
    const how = this.#random();
    if (how < 0.4) this.#save(name, history);
    else if (how < 0.6) this.#append(name, history);
    else if (how < 0.75) this.#sync(name, history);
    else if (how < 0.9) this.#remove(name, history);
    else this.#trash();
    this.operations++;
  }

  #text(): string {
    return `${this.#number++} `.repeat(1 + Math.floor(this.#random() * 3000));
  }

  /** As an editor: a temporary, renamed over the name. */
  #save(name: string, history: History): void {
    const text = this.#text();
    const temporary = path.join(this.#at, `${name}.tmp`);
    const isPromised = this.#random() < 0.5;
    const fd = fs.openSync(temporary, 'w');
    history.versions.push(text); // from here on it may be there, should the answer to rename be lost
    try {
      fs.writeSync(fd, text);
      fs.renameSync(temporary, path.join(this.#at, name));
      if (isPromised) fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    if (isPromised) this.#promise(history);
  }

  #append(name: string, history: History): void {
    const now = history.versions.at(-1) ?? '';
    const text = this.#text();
    history.versions.push('', now, now + text);
    fs.appendFileSync(path.join(this.#at, name), text);
  }

  #sync(name: string, history: History): void {
    if (history.versions.at(-1) === null) return;
    const fd = fs.openSync(path.join(this.#at, name), 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    this.#promise(history);
  }

  #remove(name: string, history: History): void {
    if (history.versions.at(-1) === null) return;
    history.versions.push(null);
    fs.unlinkSync(path.join(this.#at, name));
  }

  /** What is made and removed, and nobody will miss. */
  #trash(): void {
    const at = path.join(this.#at, 'trash');
    fs.mkdirSync(at);
    fs.writeFileSync(path.join(at, 'a'), this.#text());
    fs.writeFileSync(path.join(at, 'empty'), '');
    fs.symlinkSync('a', path.join(at, 'link'));
    fs.linkSync(path.join(at, 'a'), path.join(at, 'b'));
    fs.rmSync(at, { recursive: true });
  }

  #promise(history: History): void {
    history.promised = history.versions.length - 1;
    this.promises++;
  }

  /** @returns what does not hold on the volume that the dead daemon has left */
  judge(): string[] {
    const machine = openMachine(this.#root);
    try {
      const problems = fsck(machine.device('dax0.0')).errors.map(({ message }) => `fsck: ${message}`);
      const volume = mountFamfs(machine.device('dax0.0'));
      try {
        problems.push(...this.#judgeNames(volume), ...takeAll(volume));
      } finally {
        volume.close();
      }
      return problems;
    } finally {
      machine.close();
    }
  }

  #judgeNames(volume: Volume): string[] {
    const problems: string[] = [];
    for (const [name, { versions, promised }] of this.#names) {
      const found = volume.exists(`/${name}`) ? volume.fs.readFileSync(`/${name}`, 'latin1') : null;
      if (versions.slice(promised).includes(found)) continue;
      const what =
        found === null ? 'is missing' : `holds ${found.length} bytes that it never held as a whole`;
      problems.push(`${name} ${what} (${versions.length} versions, fsynced ${promised})`);
    }
    return problems;
  }

  end(): void {
    spawnSync('umount', ['-l', this.#at], { stdio: 'ignore' });
    fs.rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** All space that no file has can be taken. */
function takeAll(volume: Volume): string[] {
  const { allocUnit } = volume.superblock;
  try {
    for (let i = 0; volume.statfs().free >= allocUnit; i++)
      volume.create(`/fill${i}`, { size: allocUnit, zero: false }).close();
    return [];
  } catch (error) {
    return [`free space cannot be taken: ${(error as Error).message}`];
  }
}
