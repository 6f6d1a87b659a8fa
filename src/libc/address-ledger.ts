import fs from 'node:fs';
import { threadId, type Worker } from 'node:worker_threads';
import { lazy, native } from './load.js';
import { isThread } from './thread-interrupt.js';

/**
 * The ledger of this process records which thread mapped which addresses. A terminated worker runs no more code of
 * ours, so its mappings would stay for the life of the process. Another thread reads the ledger and unmaps them.
 *
 * Threads share no JavaScript objects, but they share addresses. The ledger is a memfd that every isolate finds by its
 * name in /proc/self/maps. It is never unmapped. Two threads that make a ledger at the same moment make two: each
 * writes to its own, and sweep() reads all of them.
 *
 * A row's first word is its owner: a number that no other thread of the process ever had. A thread takes a row over by
 * compare-and-exchange of that word, so only one thread gets the addresses of a dead owner. The owner frees a row
 * before it unmaps the addresses: after the unmap another thread may map them again. A thread that ends in between
 * leaves a mapping behind, never a wrong row.
 */

const NAME = 'udax-addresses';
const MAGIC = 0x75646178;
const THREADS = 4096;
const ROWS = 65_536;
/** 32-bit words of the header: magic, last owner number, kernel mappings of all threads, thread and row places ever used. */
const HEADER_WORDS = 16;
const [AT_MAGIC, AT_OWNER, AT_PIECES, AT_THREADS, AT_ROWS] = [0, 1, 2, 3, 4];
/** Words of a thread: owner, kernel thread id, Node's thread id, pad; start time (64-bit float). */
const THREAD_WORDS = 6;
/** Words of a row: owner, kernel mappings; address, length (64-bit floats). */
const ROW_WORDS = 6;
const THREADS_AT = HEADER_WORDS;
const ROWS_AT = THREADS_AT + THREADS * THREAD_WORDS;
const BYTES = Math.ceil(((ROWS_AT + ROWS * ROW_WORDS) * 4) / 4096) * 4096;
const IN_THE_MAKING = -1;
const UNKNOWN = -1;
/** Of no thread that is known to have ended. */
const NOBODY = -1;
/** Mappings between two sweeps: a thread gets no event for the end of workers that other threads started. */
const SWEEP_EVERY = 256;
const [PROT_READ_WRITE, MAP_SHARED, MFD_CLOEXEC] = [3, 1, 1];
const gettidNumber = process.arch === 'x64' ? 186 : 178;

const mmapNative = lazy(
  'intptr_t mmap(intptr_t addr, size_t length, int prot, int flags, int fd, int64_t offset)',
);
const munmapNative = lazy('int munmap(intptr_t addr, size_t length)');
const memfdCreateNative = lazy('int memfd_create(const char *name, unsigned int flags)');
const ftruncateNative = lazy('int ftruncate(int fd, int64_t length)');
const closeNative = lazy('int close(int fd)');
const syscall = lazy('long syscall(long number)');

/** One ledger memory, as this isolate sees it. */
class Table {
  readonly words: Int32Array;
  readonly numbers: DataView;

  constructor(readonly address: number) {
    const buffer = native().koffi.view(address, BYTES) as ArrayBuffer;
    this.words = new Int32Array(buffer);
    this.numbers = new DataView(buffer);
  }

  number(word: number): number {
    return this.numbers.getFloat64(word * 4, true);
  }

  setNumber(word: number, value: number): void {
    this.numbers.setFloat64(word * 4, value, true);
  }
}

class AddressLedger {
  #tables: Table[] | undefined;
  /** The table that this thread writes to. */
  #own: Table | undefined;
  #owner = 0;
  /** This thread's rows: mapped address to the row's word index. */
  readonly #rows = new Map<number, number>();
  /** Rows of the own table that were freed. Another thread may have claimed one since. */
  readonly #free: number[] = [];
  #count = 0;

  /**
   * Reserves a row for a mapping that is about to be made.
   * @returns 0 when no row is free: nobody unmaps that mapping if this thread is terminated
   */
  claim(): number {
    const table = this.#attached();
    if (++this.#count % SWEEP_EVERY === 0) this.sweep();
    if (table === undefined) return 0;
    for (let row = this.#free.pop(); row !== undefined; row = this.#free.pop()) {
      if (Atomics.compareExchange(table.words, row, 0, IN_THE_MAKING) === 0) return row;
    }
    const fresh = Atomics.load(table.words, AT_ROWS) < ROWS ? Atomics.add(table.words, AT_ROWS, 1) : ROWS;
    if (fresh < ROWS) {
      const row = ROWS_AT + fresh * ROW_WORDS;
      return Atomics.compareExchange(table.words, row, 0, IN_THE_MAKING) === 0 ? row : 0;
    }
    return claimAnyRow(table);
  }

  fill(row: number, address: number, length: number): void {
    const table = this.#own;
    if (row === 0 || table === undefined) return;
    table.setNumber(row + 2, address);
    table.setNumber(row + 4, length);
    table.words[row + 1] = 1;
    Atomics.add(table.words, AT_PIECES, 1);
    this.#rows.set(address, row);
    Atomics.store(table.words, row, this.#owner);
  }

  /** Frees a claimed row: the mmap failed. */
  abandon(row: number): void {
    if (row === 0 || this.#own === undefined) return;
    Atomics.store(this.#own.words, row, 0);
    this.#free.push(row);
  }

  /** Frees the row of a span that this thread is about to unmap. */
  giveUp(address: number): void {
    const row = this.#rows.get(address);
    if (row === undefined || this.#own === undefined) return;
    this.#rows.delete(address);
    freeRow(this.#own, row, this.#owner);
    this.#free.push(row);
  }

  /** Records how many kernel mappings the span at `address` is made of. Ignores a span without a row of this thread. */
  setPieces(address: number, pieces: number): void {
    const row = this.#rows.get(address);
    const table = this.#own;
    if (row === undefined || table === undefined) return;
    Atomics.add(table.words, AT_PIECES, pieces - table.words[row + 1]!);
    table.words[row + 1] = pieces;
  }

  /** Kernel mappings in the ledger, of all threads of this process. */
  get pieces(): number {
    this.#attached();
    return (this.#tables ?? []).reduce((sum, { words }) => sum + Atomics.load(words, AT_PIECES), 0);
  }

  /**
   * Unmaps the spans of threads that ended. A thread's native calls have returned when the thread has ended.
   * @param ended Node's id of a thread that is known to have ended; the kernel may still list it for a moment
   * @returns bytes of addresses that were unmapped
   */
  sweep(ended = NOBODY): number {
    this.#find();
    return this.#sweepFound(ended);
  }

  #sweepFound(ended: number): number {
    let bytes = 0;
    for (const table of this.#tables ?? []) {
      for (let i = 0; i < Math.min(THREADS, table.words[AT_THREADS]!); i++) {
        const thread = THREADS_AT + i * THREAD_WORDS;
        const owner = Atomics.load(table.words, thread);
        if (owner === 0 || owner === this.#owner || !hasEnded(table, thread, ended)) continue;
        bytes += takeBack(table, owner, table === this.#own ? this.#free : []);
        Atomics.compareExchange(table.words, thread, owner, 0);
      }
    }
    return bytes;
  }

  #attached(): Table | undefined {
    if (this.#owner === 0) this.#register();
    return this.#own;
  }

  /** Gives this thread an owner number and a place in the table. The main thread gets one too, though no thread outlives it. */
  #register(): void {
    const isLooked = this.#find();
    const own = this.#tables?.[0] ?? (isLooked ? this.#make() : undefined);
    if (own === undefined) return;
    this.#own = own;
    const { words } = own;
    this.#owner = Atomics.add(words, AT_OWNER, 1) + 1;
    for (let i = 0; i < THREADS; i++) {
      const thread = THREADS_AT + i * THREAD_WORDS;
      if (Atomics.compareExchange(words, thread, 0, IN_THE_MAKING) !== 0) continue;
      raise(words, AT_THREADS, i + 1);
      const tid = syscall(gettidNumber);
      words[thread + 1] = tid;
      words[thread + 2] = threadId;
      own.setNumber(thread + 4, startTimeOf(tid));
      Atomics.store(words, thread, this.#owner);
      break;
    }
    // All tables that there are were looked for a moment ago.
    this.#sweepFound(NOBODY);
  }

  /**
   * Finds the tables in /proc/self/maps, and keeps the views of those already known.
   * @returns false when it cannot be read: there may be tables that this thread does not know
   */
  #find(): boolean {
    const addresses = addressesByName();
    if (addresses === undefined) return false;
    const known = this.#tables ?? [];
    this.#tables = addresses
      .map((address) => known.find((table) => table.address === address) ?? new Table(address))
      .filter(({ words }) => words[AT_MAGIC] === MAGIC);
    return true;
  }

  #make(): Table | undefined {
    const fd = memfdCreateNative(NAME, MFD_CLOEXEC);
    if (fd < 0) return undefined;
    // A memfd without its size (a limit on file sizes: ulimit -f) would be SIGBUS at the first store.
    const isSized = ftruncateNative(fd, BYTES) === 0;
    const address = isSized ? mmapNative(0, BYTES, PROT_READ_WRITE, MAP_SHARED, fd, 0) : -1;
    closeNative(fd);
    if (address === -1) return undefined;
    const table = new Table(address);
    table.words[AT_MAGIC] = MAGIC;
    this.#tables = [...(this.#tables ?? []), table];
    return table;
  }
}

/** Undefined when /proc/self/maps cannot be read (no descriptor is left). */
function addressesByName(): number[] | undefined {
  try {
    // Searched as bytes: its lines as text would be a garbage of 10 bytes for each of its own.
    const maps = fs.readFileSync('/proc/self/maps');
    const found: number[] = [];
    const name = `memfd:${NAME} `;
    for (let at = maps.indexOf(name); at >= 0; at = maps.indexOf(name, at + 1)) {
      const line = maps.lastIndexOf('\n', at) + 1;
      found.push(Number.parseInt(maps.toString('latin1', line, maps.indexOf('-', line)), 16));
    }
    return found;
  } catch {
    return undefined;
  }
}

/** A look that fails does not say that a thread has ended: what a living thread uses must not be unmapped (SIGSEGV). */
function hasEnded(table: Table, thread: number, ended: number): boolean {
  const tid = table.words[thread + 1]!;
  if (table.words[thread] === IN_THE_MAKING) return false;
  if (table.words[thread + 2] === ended || !isThread(tid)) return true;
  // Another thread may have got its number since.
  const [then, now] = [table.number(thread + 4), startTimeOf(tid)];
  return then !== UNKNOWN && now !== UNKNOWN && then !== now;
}

/** Start time of a thread in clock ticks since boot; UNKNOWN when it cannot be read. */
function startTimeOf(tid: number): number {
  try {
    const stat = fs.readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return UNKNOWN;
  }
}

/** Raises a word to at least `least`, whatever other threads store meanwhile. */
function raise(words: Int32Array, at: number, least: number): void {
  for (let is = Atomics.load(words, at); is < least; is = Atomics.load(words, at)) {
    Atomics.compareExchange(words, at, is, least);
  }
}

/** Claims any free row, after every row was used once. 0 when there is none. */
function claimAnyRow({ words }: Table): number {
  for (let row = ROWS_AT; row < ROWS_AT + ROWS * ROW_WORDS; row += ROW_WORDS) {
    if (words[row] === 0 && Atomics.compareExchange(words, row, 0, IN_THE_MAKING) === 0) return row;
  }
  return 0;
}

/**
 * Unmaps all spans of an owner that ended.
 * @param freed receives the rows that are free now
 * @returns bytes of addresses that were unmapped
 */
function takeBack(table: Table, owner: number, freed: number[]): number {
  let bytes = 0;
  for (let i = 0; i < Math.min(ROWS, table.words[AT_ROWS]!); i++) {
    const row = ROWS_AT + i * ROW_WORDS;
    if (table.words[row] !== owner) continue;
    const [address, length] = [table.number(row + 2), table.number(row + 4)];
    if (Atomics.compareExchange(table.words, row, owner, IN_THE_MAKING) !== owner) continue;
    munmapNative(address, length);
    bytes += length;
    freeRow(table, row, IN_THE_MAKING);
    freed.push(row);
  }
  return bytes;
}

function freeRow(table: Table, row: number, owner: number): void {
  Atomics.add(table.words, AT_PIECES, -table.words[row + 1]!);
  Atomics.compareExchange(table.words, row, owner, 0);
}

export const addressLedger = new AddressLedger();

/** The thread that starts a worker gets its exit event, and unmaps what the worker left. */
process.on('worker', (worker: Worker) => {
  const id = worker.threadId;
  worker.once('exit', () => addressLedger.sweep(id));
});
