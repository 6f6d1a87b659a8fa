import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { VmAssets } from './assets.js';
import { type Answer, Connection, valueIn } from './connection.js';
import type { SharedMemoryFile } from './memory-file.js';
import { Qemu } from './qemu.js';
import { SyncConnection } from './sync-connection.js';

const BOOT_MS = 180_000;
/**
 * Time limit of a call. An emulated processor on a busy host needs half a minute to load a program, so only what hangs exceeds
 * this.
 */
const CALL_MS = 150_000;

export interface VmOptions {
  /** Its host name. Default vm0. VMs over one memory file need different names. */
  name?: string;
  /** /opt/famfs/system_uuid: this host's identity for famfs. Default: a new one. */
  uuid?: string;
  /** Default 1024. */
  ramMiB?: number;
  /** Default 2. */
  cpus?: number;
  /** Additional kernel parameters: `memmap=256M%512M-1+0xefffffff` makes RAM soft-reserved, a region of hmem. */
  kernelParameters?: string;
}

/** The VM's /dev/dax0.0 as its kernel sees it, in bytes. */
export interface DaxFacts {
  path: string;
  size: number;
  align: number;
  /** Offset of its first byte in the memory file. */
  offset: number;
}

export interface Outcome {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  timeoutMs?: number;
  env?: Record<string, string>;
  /** stdin */
  input?: string;
}

/** A program that runs in a VM. */
export interface GuestProcess {
  readonly pid: number;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Waits until it has ended. */
  wait(): Promise<Outcome>;
  /** Its stdout, as soon as that contains a text. */
  outputWith(text: string): Promise<string>;
}

/**
 * A separate Linux host: a real kernel with /dev/dax0.0 over a memory file, which several VMs may share. An agent in it runs
 * programs and functions. Every call has a time limit; its error has the console's last lines.
 */
export class VirtualMachine {
  readonly release: string;
  /** From the start of QEMU to the agent's first message. */
  readonly bootMs: number;
  readonly dax: DaxFacts;

  private constructor(
    readonly name: string,
    readonly uuid: string,
    readonly memory: SharedMemoryFile,
    private readonly parts: { qemu: Qemu; calls: Connection; sync: SyncConnection },
    facts: { release: string; bootMs: number; dax: DaxFacts },
  ) {
    this.release = facts.release;
    this.bootMs = facts.bootMs;
    this.dax = facts.dax;
  }

  /** Boots a VM. @throws Error with the console's last lines when the agent does not answer in time */
  static async start(
    assets: VmAssets,
    memory: SharedMemoryFile,
    options: VmOptions = {},
  ): Promise<VirtualMachine> {
    const { name = 'vm0', uuid = randomUUID(), ramMiB = 1024, cpus = 2, kernelParameters = '' } = options;
    const ports = {
      'udax.calls': path.join(memory.directory, `${name}.calls`),
      'udax.sync': path.join(memory.directory, `${name}.sync`),
    };
    const calls = await Connection.listen(ports['udax.calls']);
    const sync = await SyncConnection.listen(ports['udax.sync']);
    const begun = performance.now();
    const qemu = new Qemu({
      ...{ assets, memory, ramMiB, cpus, ports, kernelParameters },
      parameters: { name, uuid },
    });
    void qemu.ended.then((how) => calls.break(new Error(`${name}: ${how}; console:\n${qemu.console()}`)));
    const slow = setTimeout(() => {
      calls.break(new Error(`${name} did not boot in ${BOOT_MS / 1000} s; console:\n${qemu.console()}`));
    }, BOOT_MS);
    try {
      const { dax } = (await calls.ready) as { dax: DaxFacts };
      const facts = { release: assets.release, bootMs: performance.now() - begun, dax };
      return new VirtualMachine(name, uuid, memory, { qemu, calls, sync }, facts);
    } catch (error) {
      await qemu.kill();
      await sync.close();
      throw error;
    } finally {
      clearTimeout(slow);
    }
  }

  /** Offset of the device in the memory file, bytes. */
  get daxOffset(): number {
    return this.dax.offset;
  }

  /** The console's last lines. */
  console(lines?: number): string {
    return this.parts.qemu.console(lines);
  }

  /**
   * Calls a function of a module in test/vm/guest, in the agent. The module stays loaded, with what it holds open.
   * @throws GuestError what the function threw
   */
  async call<T = unknown>(module: string, name: string, ...args: unknown[]): Promise<T> {
    return this.callWithin<T>(CALL_MS, module, name, ...args);
  }

  async callWithin<T = unknown>(
    timeoutMs: number,
    module: string,
    name: string,
    ...args: unknown[]
  ): Promise<T> {
    const done = new AbortController();
    const late = pause(timeoutMs, null, { signal: done.signal }).catch(() => null);
    const answer = await Promise.race([this.parts.calls.call(module, name, args), late]);
    done.abort();
    if (answer === null) throw this.#late(`${module}.${name}`, timeoutMs);
    return valueIn(answer) as T;
  }

  /** Like call(), but blocks this thread. */
  callSync<T = unknown>(module: string, name: string, ...args: unknown[]): T {
    let answer: Answer;
    try {
      answer = this.parts.sync.call(module, name, args, CALL_MS);
    } catch {
      throw this.#late(`${module}.${name}`, CALL_MS);
    }
    return valueIn(answer) as T;
  }

  /** Runs a shell command to its end. It is killed after the time limit, CALL_MS by default. */
  run(command: string, options: RunOptions = {}): Promise<Outcome> {
    const { timeoutMs = CALL_MS } = options;
    return this.callWithin<Outcome>(timeoutMs + 5000, 'processes', 'run', command, { ...options, timeoutMs });
  }

  /** The stdout of a shell command that must succeed. */
  async output(command: string, options?: RunOptions): Promise<string> {
    const { code, signal, stdout, stderr } = await this.run(command, options);
    if (code !== 0)
      throw new Error(`${this.name}: ${command}: ${signal ?? `exit ${code}`}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Runs `udax ...` in a separate process. No shell expands the words. */
  udax(...words: string[]): Promise<Outcome> {
    return this.run(`udax ${words.map(quoted).join(' ')}`);
  }

  /** Runs `udax ...` inside the agent: the same code without starting a process. Only for commands that end. */
  command(...words: string[]): Promise<Outcome> {
    return this.call<Outcome>('commands', 'run', words);
  }

  /** The stdout of command(), which must succeed. */
  async done(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.command(...words);
    if (code !== 0)
      throw new Error(`${this.name}: udax ${words.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Runs a Node script (ESM; it can import `udax`) in a separate process. */
  node(script: string, options: RunOptions = {}): Promise<Outcome> {
    // Inside the package's directory, where `udax` resolves to the package itself.
    return this.run('cat > /udax/script-$$.mjs; exec node /udax/script-$$.mjs', {
      ...options,
      input: script,
    });
  }

  /** Starts a program and returns while it runs. */
  async start(command: string, options: RunOptions = {}): Promise<GuestProcess> {
    const pid = await this.call<number>('processes', 'start', command, options);
    return {
      pid,
      kill: async (signal) => void (await this.call('processes', 'kill', pid, signal)),
      wait: () => this.call<Outcome>('processes', 'wait', pid),
      outputWith: (text) => this.call<string>('processes', 'outputWith', pid, text),
    };
  }

  /** Cuts the VM's power: SIGKILL to QEMU. This is the only way a VM ends here. Idempotent. */
  async kill(): Promise<void> {
    await this.parts.qemu.kill();
    this.parts.calls.break(new Error(`${this.name} was killed`));
    await this.parts.sync.close();
  }

  #late(what: string, timeoutMs: number): Error {
    return new Error(`${this.name}: ${what} did not answer in ${timeoutMs} ms; console:\n${this.console()}`);
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
