import type {
  FileHandle,
  FuseBackings,
  FuseFileSystem,
  FuseMapExtent,
  FuseOpenAnswer,
  NodeId,
} from '../../../src/fuse/index.js';
import { codeOf, DaxError } from '../../../src/libc/index.js';
import { attributesIn, bytesOfStep, type Connection, entryIn, openIn, type Step } from './transcripts.js';

const HEADER = 16;
const FOPEN = { keepCache: 2, nonSeekable: 4, noFlush: 0x20, parallel: 0x40, passthrough: 0x80, directIo: 1 };

/**
 * A file system that decides as the recorded server did, and says it with our code: its answers are values, read from the recorded
 * bytes. Notifications that the recorded server sent before a request are sent from inside that request.
 */
export class RecordedFileSystem {
  readonly #steps: readonly Step[];
  #at = 0;
  #backings: FuseBackings | undefined;
  /** What the recorded server sent and no code of ours can say. */
  readonly unsayable: string[] = [];

  constructor({ steps }: Connection) {
    this.#steps = steps;
  }

  /** The file system for a Dispatcher: every operation takes the next recorded answer. */
  get fileSystem(): FuseFileSystem {
    const attributes = (bytes: Uint8Array) => ({
      attributes: attributesIn(bytes, HEADER + 16),
      attributeSeconds: Number(new DataView(bytes.buffer).getBigUint64(HEADER, true)),
    });
    const nothing = () => void this.#next();
    return {
      started: (backings) => {
        this.#backings = backings;
        this.#at = this.#steps.findIndex(({ dir, op }) => dir === 'server->kernel' && op === 'INIT') + 1;
        this.#sayUntilRequest();
      },
      lookup: () => entryIn(this.#next(), HEADER),
      getattr: () => attributes(this.#next()),
      setattr: () => attributes(this.#next()),
      open: () => this.#opened(this.#next(), HEADER),
      create: () => {
        const bytes = this.#next();
        return { entry: entryIn(bytes, HEADER), opened: this.#opened(bytes, HEADER + 128) };
      },
      read: (_node, _handle, _offset, _length, answer) => answer.addBytes(this.#next().subarray(HEADER)),
      write: () => new DataView(this.#next().buffer).getUint32(HEADER, true),
      flush: nothing,
      release: nothing,
      releasedir: nothing,
      fsync: nothing,
      fallocate: nothing,
      lseek: () => Number(new DataView(this.#next().buffer).getBigUint64(HEADER, true)),
      opendir: () => ({ handle: openIn(this.#next(), HEADER).handle as FileHandle }),
      readdir: (_node, _handle, _offset, answer) => {
        const bytes = this.#next();
        const view = new DataView(bytes.buffer);
        for (let at = HEADER; at + 152 <= bytes.length; ) {
          const entry = entryIn(bytes, at);
          const dirent = at + 128;
          const length = view.getUint32(dirent + 16, true);
          const name = Buffer.from(bytes.subarray(dirent + 24, dirent + 24 + length)).toString();
          const word = (offset: number) => Number(view.getBigUint64(dirent + offset, true));
          answer.add(name, word(0), view.getUint32(dirent + 20, true) << 12, word(8), () => entry);
          at += Math.ceil((152 + length) / 8) * 8;
        }
      },
      getxattr: () => this.#next().subarray(HEADER),
      forget: () => this.#sayUntilRequest(),
    };
  }

  /** The recorded answer to the present request, after everything that was sent before it. @throws DaxError when it is an error */
  #next(): Uint8Array<ArrayBuffer> {
    this.#sayUntilRequest();
    // These are answered ENOSYS by the dispatcher itself.
    while (this.#steps[this.#at]?.op?.startsWith('COPY_FILE_RANGE')) this.#at += 2;
    this.#sayUntilRequest();
    this.#at++; // the request
    this.#sayUntil((step) => step.dir === 'server->kernel' && !step.op!.startsWith('NOTIFY_'));
    const step = this.#steps[this.#at++];
    if (step === undefined) throw new DaxError('EIO', 'the transcript has ended');
    const bytes = bytesOfStep(step);
    const error = new DataView(bytes.buffer).getInt32(4, true);
    if (error !== 0) throw new DaxError(codeOf(-error), 'as recorded');
    return bytes;
  }

  #sayUntilRequest(): void {
    this.#sayUntil((step) => step.dir === 'kernel->server');
  }

  #sayUntil(isEnd: (step: Step) => boolean): void {
    for (; this.#at < this.#steps.length && !isEnd(this.#steps[this.#at]!); this.#at++) {
      try {
        this.#say(this.#steps[this.#at]!);
      } catch (error) {
        if (!(error instanceof DaxError)) throw error; // the kernel's recorded refusal
      }
    }
  }

  #say(step: Step): void {
    const backings = this.#backings!;
    const bytes = bytesOfStep(step);
    const view = new DataView(bytes.buffer);
    if (step.op === 'BACKING_CREATE' && bytes.length === 32)
      backings.create(view.getUint32(0, true), view.getBigUint64(8, true));
    else if (step.op === 'NOTIFY_BACKING_REMOVE' && bytes.length === 32)
      backings.remove(Number(view.getBigUint64(16, true)));
    else if (step.op === 'NOTIFY_INVAL_INODE')
      backings.invalidate(Number(view.getBigUint64(16, true)) as NodeId);
    else if (step.op === 'NOTIFY_BACKING_MAP' && !step.hexTruncated) this.#sayMap(bytes, view);
    else this.unsayable.push(`${step.op}`);
  }

  #sayMap(bytes: Uint8Array, view: DataView): void {
    const extents: FuseMapExtent[] = [];
    let device = 0n;
    for (let at = 48; at + 48 <= bytes.length; at += 48) {
      const word = (offset: number) => Number(view.getBigUint64(at + offset, true));
      device = view.getBigUint64(at + 16, true);
      extents.push({ offset: word(0), length: word(8), address: word(24) });
    }
    this.#backings!.map(Number(view.getBigUint64(16, true)), device, extents);
  }

  #opened(bytes: Uint8Array, start: number): FuseOpenAnswer {
    const { handle, flags, id32, map } = openIn(bytes, start);
    const has = (bit: number) => (flags & bit) !== 0;
    return {
      handle: handle as FileHandle,
      directIo: has(FOPEN.directIo),
      keepCache: has(FOPEN.keepCache),
      nonSeekable: has(FOPEN.nonSeekable),
      noFlush: has(FOPEN.noFlush),
      parallelDirectWrites: has(FOPEN.parallel),
      ...(has(FOPEN.passthrough) && (map === null || id32 !== 0) && { backingId: id32 }),
      ...(has(FOPEN.passthrough) && map !== null && { map }),
    };
  }
}
