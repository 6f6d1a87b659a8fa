/** The processes of a scenario: their identity, their open files and mappings, and the signals they received. */
import type { OpenFile, Vma } from '../../dax/index.js';
import { fail } from '../../libc/index.js';

export interface SignalRecord {
  signal: 'SIGBUS';
  code: 'BUS_MCEERR_AO' | 'BUS_MCEERR_AR';
  map: string;
  /** si_addr relative to the mapping. */
  offset: number;
  lsb: number;
}

export class ScenarioProcess {
  uid = 0;
  /** PR_MCE_KILL: a process with policy `early` gets a signal for a memory failure before it touches the page. */
  mcePolicy: 'early' | 'late' | 'default' = 'default';
  readonly files = new Map<string, OpenFile>();
  readonly maps = new Map<string, Vma>();
  #signals: SignalRecord[] = [];

  file(name: string): OpenFile {
    return this.files.get(name) ?? fail('EBADF', `no open file ${name}`);
  }

  map(name: string): Vma {
    return this.maps.get(name) ?? fail('EINVAL', `no mapping ${name}`);
  }

  nameOf(vma: Vma): string | undefined {
    for (const [name, candidate] of this.maps) if (candidate === vma) return name;
    return undefined;
  }

  receive(signal: SignalRecord): void {
    this.#signals.push(signal);
  }

  /** Returns the signals since the last call. */
  takeSignals(): SignalRecord[] {
    return this.#signals.splice(0);
  }

  /** What the kernel does when the process dies: it ends mappings, then files. */
  exit(): void {
    for (const vma of this.maps.values()) vma.munmap();
    for (const file of this.files.values()) if (!file.closed) file.close();
    this.maps.clear();
    this.files.clear();
  }
}
