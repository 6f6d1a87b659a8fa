import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Dispatcher } from '../../src/fuse/dispatcher.js';
import { runLoop } from '../../src/fuse/loop.js';
import { LoopControl } from '../../src/fuse/loop-control.js';
import { printReply, structs } from '../../src/fuse/protocol/index.js';
import { DeviceBackings } from '../../src/fuse/serving/backings.js';
import {
  addressOf,
  bindDeviceCalls,
  closeDescriptor,
  type DeviceCalls,
  type ErrnoCode,
  errnoOf,
  memcpy,
  socketPair,
} from '../../src/libc/index.js';
import { RecordedFileSystem } from './support/recorded-file-system.js';
import {
  bytesOfStep,
  type Connection,
  connectionsOf,
  extentMapTranscripts,
  type Step,
} from './support/transcripts.js';

/**
 * No kernel with extent maps can be had here. So each recorded connection is played again: a player takes the kernel's side on a real
 * socket, our loop, dispatcher, encoders and backings take the server's, deciding as the recorded server did. Every message must be the
 * recorded one to the byte, or have a difference that is named here.
 */
const known: Record<string, string> = {
  'INIT: own limits':
    'max_background, congestion_threshold, max_write, max_pages and further capabilities are ours',
  'INIT: recorded without maps':
    'the recorded server did not ask for PASSTHROUGH_V2, or said it wrongly; ours always does',
  'BACKING_CREATE: malformed':
    'the recorded server filled padding, spare or id wrongly, which our encoder cannot',
  'BACKING_MAP: malformed':
    'wrong flags, counts or reserved fields, or a cyclic map, which our encoder cannot say',
  'BACKING_MAP: two devices': 'one message names two devices; our maps are over one',
  'BACKING_MAP: cut': 'the transcript holds only the first 2048 bytes',
  'BACKING_REMOVE: malformed': 'wrong length, reserved field or id',
  'OPEN: other form': 'the recorded server sent 8, 20 or 24 bytes where ours sends 16 or 24',
  'READ: cut': 'the transcript holds only the first 2048 bytes',
  'INVAL_INODE: attributes only':
    'backings invalidate whole inodes; attributes alone are the business of the main thread',
  'id beyond 2^53': 'ids of our maps are node numbers',
  BACKING_OPEN: 'the old passthrough to regular files is not ours',
};

/** Plays the kernel's side of a connection, and notes how each message of ours differs from the recorded one. */
class Player {
  readonly differences: string[] = [];
  equal = 0;
  readonly #connection: Connection;
  readonly #real = bindDeviceCalls();
  readonly #ours: number;
  readonly #theirs: number;
  #errno = 0;
  /** Requests to come, and what the recorded server sent. */
  readonly #requests: Step[];
  readonly #sent: Step[];

  constructor(connection: Connection) {
    this.#connection = connection;
    [this.#ours, this.#theirs] = socketPair();
    this.#requests = connection.steps.filter(({ dir, op }) => dir === 'kernel->server' && op !== '(read)');
    this.#sent = connection.steps.filter(({ dir }) => dir !== 'kernel->server');
  }

  run(): void {
    const recorded = new RecordedFileSystem(this.#connection);
    try {
      const dispatcher = new Dispatcher(recorded.fileSystem, {
        connection: { extentMaps: true },
        onReport: () => {},
        backings: new DeviceBackings(this.#ours, this.calls),
      });
      runLoop({
        deviceFd: this.#ours,
        control: LoopControl.make(),
        dispatcher,
        calls: this.calls,
        onControl: () => {},
        onReport: () => {},
      });
    } finally {
      closeDescriptor(this.#ours);
      closeDescriptor(this.#theirs);
    }
  }

  readonly calls: DeviceCalls = {
    read: (fd, address, room) => {
      const step = this.#requests.shift();
      if (step === undefined) return this.#fail('ENODEV');
      fs.writeSync(this.#theirs, bytesOfStep(step));
      return this.#real.read(fd, address, room);
    },
    write: (fd, address, bytes) => this.#heard(this.#real.write(fd, address, bytes)),
    writev: (fd, iovecs, count) => this.#heard(this.#real.writev(fd, iovecs, count)),
    ioctl: (_fd, command, address) => {
      const argument = new Uint8Array(new ArrayBuffer(32));
      memcpy(addressOf(argument.buffer), address, 32);
      expect(command).toBe(0x4020e504);
      return this.#compare(argument, 'BACKING_CREATE');
    },
    setBlocking: () => true,
    errno: () => this.#errno,
  };

  #fail(code: ErrnoCode): number {
    this.#errno = errnoOf(code);
    return -1;
  }

  /** Takes a message of ours from the socket. */
  #heard(length: number): number {
    const message = new Uint8Array(new ArrayBuffer(length));
    for (let at = 0; at < length; ) at += fs.readSync(this.#theirs, message, at, length - at, null);
    return this.#compare(message, null);
  }

  /** @returns what the recorded kernel answered */
  #compare(ours: Uint8Array<ArrayBuffer>, op: string | null): number {
    const step = this.#expected(ours, op);
    if (step === undefined) {
      this.differences.push(`not recorded: ${op ?? printReply(ours)}`);
      return ours.length;
    }
    const theirs = bytesOfStep(step);
    const difference = nameOfDifference(step, theirs, ours);
    if (difference === null) this.equal++;
    else this.differences.push(difference);
    if (step.errno !== undefined && step.result === -1) return this.#fail(step.errno as ErrnoCode);
    return op === null ? ours.length : 0;
  }

  /** The recorded message that ours is to equal. What our code cannot say is passed over, with its name. */
  #expected(ours: Uint8Array, op: string | null): Step | undefined {
    const unique = op === null ? new DataView(ours.buffer).getBigUint64(8, true) : null;
    for (;;) {
      const step = this.#sent.shift();
      if (step === undefined) return undefined;
      const recorded = bytesOfStep(step);
      const isSame =
        unique === null
          ? step.op === op
          : step.dir === 'server->kernel' &&
            recorded.length >= 16 &&
            new DataView(recorded.buffer).getBigUint64(8, true) === unique;
      if (isSame && (unique !== 0n || sameCode(recorded, ours))) return step;
      this.differences.push(unsaid(step));
    }
  }
}

const sameCode = (a: Uint8Array<ArrayBuffer>, b: Uint8Array) =>
  new DataView(a.buffer).getInt32(4, true) === new DataView(b.buffer, b.byteOffset).getInt32(4, true);

function unsaid({ op, hexTruncated }: Step): string {
  if (op === 'BACKING_OPEN' || op === 'BACKING_CLOSE') return 'BACKING_OPEN';
  if (op === 'NOTIFY_BACKING_MAP') return hexTruncated ? 'BACKING_MAP: cut' : 'BACKING_MAP: malformed';
  if (op === 'NOTIFY_BACKING_REMOVE') return 'BACKING_REMOVE: malformed';
  if (op === 'BACKING_CREATE') return 'BACKING_CREATE: malformed';
  return `not sent: ${op}`;
}

/** Null when both are the same. */
function nameOfDifference(
  step: Step,
  theirs: Uint8Array<ArrayBuffer>,
  ours: Uint8Array<ArrayBuffer>,
): string | null {
  if (step.op === 'INIT') return differenceOfInit(theirs, ours);
  if (Buffer.from(theirs).equals(Buffer.from(ours))) return null;
  const view = new DataView(theirs.buffer);
  if (step.hexTruncated) return step.op === 'READ' ? 'READ: cut' : 'BACKING_MAP: cut';
  if (hasLargeId(step.op!, view)) return 'id beyond 2^53';
  if (step.op === 'NOTIFY_INVAL_INODE' && view.getBigInt64(24, true) < 0)
    return 'INVAL_INODE: attributes only';
  if (step.op === 'NOTIFY_BACKING_MAP') {
    const devices = new Set<bigint>();
    for (let at = 48; at + 48 <= theirs.length; at += 48) devices.add(view.getBigUint64(at + 16, true));
    return devices.size > 1 ? 'BACKING_MAP: two devices' : 'BACKING_MAP: malformed';
  }
  if (step.op === 'NOTIFY_BACKING_REMOVE') return 'BACKING_REMOVE: malformed';
  if (step.op === 'BACKING_CREATE') return 'BACKING_CREATE: malformed';
  if (step.op === 'OPEN' && theirs.length !== ours.length) return 'OPEN: other form';
  return `${step.op}: ${printReply(theirs)} is recorded, ours is ${printReply(ours)}`;
}

const hasLargeId = (op: string, view: DataView) =>
  (op === 'OPEN' && view.byteLength === 40 && view.getBigUint64(32, true) >= 2n ** 53n) ||
  (/^NOTIFY_BACKING/.test(op) && view.byteLength >= 32 && view.getBigUint64(16, true) >= 2n ** 53n);

/** Fields that must agree: version, stack depth, and that both ask for maps. */
function differenceOfInit(theirs: Uint8Array<ArrayBuffer>, ours: Uint8Array<ArrayBuffer>): string {
  const { at } = structs.InitOut;
  const field = (bytes: Uint8Array<ArrayBuffer>, offset: number) =>
    new DataView(bytes.buffer).getUint32(16 + offset, true);
  const V2 = 1 << 13;
  const asksForMaps = (field(theirs, at.flags2) & V2) !== 0 && field(theirs, at.maxStackDepth) === 1;
  if (!asksForMaps || (field(theirs, at.flags) & (1 << 30)) === 0) return 'INIT: recorded without maps';
  if ((field(theirs, at.flags) & (1 << 16)) !== 0 || field(theirs, at.minor) !== 47)
    return 'INIT: recorded without maps';
  for (const offset of [at.major, at.minor, at.maxReadahead, at.maxStackDepth, at.timeGranularity])
    expect(field(ours, offset)).toBe(field(theirs, offset));
  expect(field(ours, at.flags2) & V2).toBe(V2);
  expect(field(ours, at.flags) & ((1 << 16) | (1 << 3))).toBe(0); // WRITEBACK_CACHE, ATOMIC_O_TRUNC
  return 'INIT: own limits';
}

const connections = extentMapTranscripts.filter(({ name }) => name !== 'old-kernel').flatMap(connectionsOf);

describe('a recorded connection with extent maps', () => {
  const totals = { equal: 0, different: 0 };

  it.each(connections.map((connection) => [connection.name, connection] as const))(
    '%s: our messages are the recorded ones, byte for byte, or differ in a way that is named',
    (_name, connection) => {
      const player = new Player(connection);
      player.run();
      const unknown = player.differences.filter((difference) => known[difference] === undefined);
      expect(unknown).toEqual([]);
      totals.equal += player.equal;
      totals.different += player.differences.length;
    },
  );

  it('of all messages so many are equal, and no more differ by name', () => {
    expect(totals).toEqual({ equal: 815, different: 178 });
  });
});
