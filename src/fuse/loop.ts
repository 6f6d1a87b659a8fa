import {
  acceptInterrupts,
  beginMoment,
  bindDeviceCalls,
  codeOf,
  type DeviceCalls,
  endMoment,
} from '../libc/index.js';
import type { Dispatcher } from './dispatcher.js';
import { CONTROL_STOP, type LoopControl } from './loop-control.js';
import type { OperationStats } from './operation-stats.js';
import { opcodeOf, structs } from './protocol/index.js';

/** Requests that are served before a message. Programs that keep a mount busy must not keep messages waiting. */
const MOST_BEFORE_MESSAGE = 256;

const READ = opcodeOf('READ');
const WRITE = opcodeOf('WRITE');
const READ_OVERHEAD_BYTES = structs.OutHeader.bytes;
const WRITE_OVERHEAD_BYTES = structs.InHeader.bytes + structs.WriteIn.bytes;

export type LoopEnd = 'unmounted' | 'aborted' | 'stopped';

export interface LoopOptions {
  /** A descriptor of /dev/fuse in blocking mode. */
  readonly deviceFd: number;
  readonly control: LoopControl;
  readonly dispatcher: Dispatcher;
  /** Called between two requests when a message waits. */
  readonly onControl: () => void;
  readonly onReport: (error: unknown) => void;
  /** Gets the count and latency of every request. */
  readonly stats?: OperationStats;
  /** Default: the system calls themselves. */
  readonly calls?: DeviceCalls;
}

/**
 * Serves requests until the mount is gone ('unmounted': ENODEV), the connection was aborted ('aborted'), or a stop was
 * requested ('stopped'). A request takes two system calls: a read that waits for it and a write that answers it. To reach this
 * thread otherwise, set a control bit and interrupt the read (LoopWaker).
 */
export function runLoop(options: LoopOptions): LoopEnd {
  const { control, dispatcher, onControl } = options;
  const threadId = acceptInterrupts(control.signal);
  const calls = options.calls ?? bindDeviceCalls();
  const readRequest = requestReader(options, calls);
  const serve = server(options, replySender(options, calls));
  try {
    for (;;) {
      // The order matters: a waker that sees this loop not waiting knows that it will check the bits before it waits.
      control.waits(threadId);
      const length = control.bits() === 0 ? readRequest() : 0;
      control.works();
      if (typeof length !== 'number') return length;
      if (length > 0) {
        const end = serve(length);
        if (end !== null) return end;
        if (dispatcher.isStarting) dispatcher.started();
      } else if (control.bits() !== 0) {
        if ((control.take() & CONTROL_STOP) !== 0) return 'stopped';
        const end = serveQueued(options, calls, readRequest, serve);
        if (end !== null) return end;
        onControl();
      }
    }
  } finally {
    control.works();
  }
}

/**
 * Serves the requests that wait already. What a program did before a message was sent comes before the message: the RELEASE of a file
 * that it has closed. Returns null, or why the loop ends.
 */
function serveQueued(
  { deviceFd }: LoopOptions,
  { setBlocking }: DeviceCalls,
  readRequest: () => number | LoopEnd,
  serve: (length: number) => LoopEnd | null,
): LoopEnd | null {
  if (!setBlocking(deviceFd, false)) return null;
  try {
    for (let served = 0; served < MOST_BEFORE_MESSAGE; served++) {
      const length = readRequest();
      if (typeof length !== 'number') return length;
      if (length === 0) return null;
      const end = serve(length);
      if (end !== null) return end;
    }
    return null;
  } finally {
    setBlocking(deviceFd, true);
  }
}

/** Serves the request of a length that was read, and sends the reply. Returns null, or why the loop ends. */
function server(
  { dispatcher, stats }: LoopOptions,
  sendReply: () => LoopEnd | null,
): (length: number) => LoopEnd | null {
  const serve = (length: number) => {
    dispatcher.serve(length);
    return sendReply();
  };
  if (stats === undefined) return serve;
  return (length) => {
    const begun = beginMoment();
    const end = serve(length);
    endMoment();
    const { opcode, isRefused, reply } = dispatcher;
    stats.note(opcode, (performance.now() - begun) / 1000, isRefused);
    if (isRefused) return end;
    if (opcode === READ) stats.noteRead(reply.length - READ_OVERHEAD_BYTES);
    else if (opcode === WRITE) stats.noteWritten(length - WRITE_OVERHEAD_BYTES);
    return end;
  };
}

/** Reads one request. Returns its length; 0 when there was none (interrupted); or why the loop ends. */
function requestReader(
  { deviceFd, dispatcher, onReport }: LoopOptions,
  calls: DeviceCalls,
): () => number | LoopEnd {
  const { requestAddress } = dispatcher;
  const room = dispatcher.request.byteLength;
  return () => {
    const length = calls.read(deviceFd, requestAddress, room);
    if (length > 0) return length;
    const code = length === 0 ? 'ECONNABORTED' : codeOf(calls.errno());
    // ENOENT: the kernel took the request back while it was being read.
    if (code === 'EINTR' || code === 'ENOENT' || code === 'EAGAIN') return 0;
    if (code === 'ENODEV') return 'unmounted';
    if (code !== 'ECONNABORTED' && code !== 'EBADF') onReport(new Error(`reading /dev/fuse failed: ${code}`));
    return 'aborted';
  };
}

/** Sends the reply, if there is one. Returns null, or why the loop ends. */
function replySender(
  { deviceFd, dispatcher, onReport }: LoopOptions,
  calls: DeviceCalls,
): () => LoopEnd | null {
  const { reply } = dispatcher;
  const { address, iovecAddress } = reply;
  return () => {
    const { pieces } = reply;
    if (pieces === 0) return null;
    const sent =
      pieces === 1
        ? calls.write(deviceFd, address, reply.length)
        : calls.writev(deviceFd, iovecAddress, pieces);
    return sent < 0 ? afterFailedReply(calls.errno(), onReport) : null;
  };
}

/** Handles a failed reply. ENOENT means that no caller waits for the answer any more; other errors than ENODEV are reported. */
function afterFailedReply(errno: number, onReport: (error: unknown) => void): LoopEnd | null {
  const code = codeOf(errno);
  if (code === 'ENODEV') return 'unmounted';
  // The kernel has failed the request with EIO.
  const why =
    code === 'EFAULT' ? ': memory of the answer is gone, the file behind it was cut or is full of holes' : '';
  if (code !== 'ENOENT' && code !== 'EINTR') onReport(new Error(`the kernel refused a reply: ${code}${why}`));
  return null;
}
