import { fail, sizeText } from '../../libc/index.js';
import { type Backing, openBacking, PhysicalMemory, type SpanOwner } from '../../memory/index.js';
import { explainRefusal } from '../../tree/index.js';
import { requireDevdaxMode } from '../devdax-mode.js';
import type { OpenDax } from '../types.js';
import { conflictText, MemoryUse, placeIn } from '../use-lock.js';

/** Address of the memory in this handle's private map. Any address would do. */
const HPA = 2 ** 40;

/**
 * An open handle of a real `/dev/daxX.Y`, as open(2) gives. Its mappings are the kernel's own, in pieces of the device's align.
 */
export class KernelRawDevice implements OpenDax {
  readonly #memory = new PhysicalMemory();
  readonly #spans: SpanOwner = { ended() {} };
  readonly #backing: Backing;
  readonly #use: MemoryUse;
  readonly #onClose: (device: KernelRawDevice) => void;
  #closed = false;

  /**
   * @throws DaxError ENXIO not in devdax mode; ENOENT, EACCES; EBUSY another user has it exclusively; ENODEV the node is no dax
   *   device of this tree
   */
  constructor(
    readonly name: string,
    node: string,
    { sysfs, writable = true }: { sysfs: string; writable?: boolean },
    onClose: (device: KernelRawDevice) => void,
  ) {
    requireDevdaxMode(node, sysfs);
    try {
      this.#backing = openBacking(node, { writable, sysfs });
    } catch (error) {
      throw explainRefusal(error, node, writable ? 'opened for writing' : 'opened');
    }
    this.#use = this.#used();
    this.#memory.insert({ start: HPA, length: this.#backing.size, backing: this.#backing, offset: 0 });
    this.#onClose = onClose;
  }

  get size(): number {
    return this.#backing.size;
  }

  mmap(options: { offset?: number; length?: number; writable?: boolean } = {}): Uint8Array {
    if (this.#closed) fail('EBADF', `${this.name} was closed: open it again`, { path: this.name });
    const { offset = 0, writable = this.#backing.writable } = options;
    const length = options.length ?? this.size - offset;
    this.#check(offset, length);
    const access = writable ? 'shared' : 'protected';
    const owner = { who: this.#spans, name: `${offset}+${length} ${access}` };
    const mapping = this.#memory.map([{ start: HPA + offset, length }], { access, label: this.name, owner });
    return mapping.give(new Uint8Array(mapping.buffer));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.endAll(this.#spans);
    this.#memory.close();
    this.#use.close();
    this.#backing.close();
    this.#onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #used(): MemoryUse {
    const use = MemoryUse.open([placeIn(this.#backing, [{ start: 0, length: this.#backing.size }])]);
    const conflict = use.take('shared', this.name);
    if (!conflict) return use;
    const who = conflictText(conflict);
    use.close();
    this.#backing.close();
    return fail('EBUSY', `${this.name} is in use by ${who}: let it end that first`, { path: this.name });
  }

  /** The kernel would accept other ranges, and answer an access with SIGBUS. */
  #check(offset: number, length: number): void {
    const { granule, size } = this.#backing;
    if (offset % granule !== 0 || length % granule !== 0) {
      fail(
        'EINVAL',
        `${this.name} maps in pieces of its align, ${sizeText(granule)}: offset ${offset} and length ${length} must be multiples of it`,
        { path: this.name },
      );
    }
    const isInside =
      Number.isSafeInteger(offset + length) && offset >= 0 && length > 0 && offset + length <= size;
    if (isInside) return;
    fail('EINVAL', `${this.name} has ${size} bytes: no ${length} bytes at ${offset}`, { path: this.name });
  }
}
