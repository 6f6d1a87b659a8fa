import { addressOf, bindDeviceCalls, codeOf, PollSet } from '../libc/index.js';
import type { Dispatcher } from './dispatcher.js';

export type LoopEnd = 'unmounted' | 'aborted' | 'stopped';

export interface LoopOptions {
  /** /dev/fuse, non-blocking. */
  readonly deviceFd: number;
  /** eventfd: written to whenever `control` was set, to wake the loop from its poll. */
  readonly wakeFd: number;
  /** Word 0: not 0 when a message waits (CONTROL_MESSAGE) or the loop shall stop (CONTROL_STOP). */
  readonly control: Int32Array;
  readonly dispatcher: Dispatcher;
  /** Called between two requests when a message waits. */
  readonly onControl: () => void;
  readonly onReport: (error: unknown) => void;
}

export const CONTROL_MESSAGE = 1;
export const CONTROL_STOP = 2;

/** After so many requests that had to be waited for, look once whether they now come without waiting. */
const WAITS_BETWEEN_LOOKS = 16;

/**
 * Serves requests until the mount is gone ('unmounted': ENODEV), the connection was ended ('aborted'), or somebody
 * asked for it ('stopped'). Blocks its thread: reads without waiting, and waits in poll(2), which a wake-up ends.
 *
 * One client that calls again and again is met best by waiting at once (poll, read, writev: a read that finds
 * nothing is a wasted call), many clients by reading at once. The loop does what was right the last time.
 */
export function runLoop(options: LoopOptions): LoopEnd {
  const { deviceFd, wakeFd, control, dispatcher, onControl, onReport } = options;
  const calls = bindDeviceCalls();
  const { reply, requestAddress } = dispatcher;
  const requestBytes = dispatcher.request.byteLength;
  const wait = new PollSet([deviceFd, wakeFd]);
  const drain = new WakeDrain(wakeFd, calls);
  let waitsLeft = 0;
  for (;;) {
    if (Atomics.load(control, 0) !== 0) {
      if ((Atomics.load(control, 0) & CONTROL_STOP) !== 0) return 'stopped';
      Atomics.and(control, 0, ~CONTROL_MESSAGE);
      onControl();
    }
    if (waitsLeft > 0) {
      waitsLeft -= 1;
      calls.poll(wait.address, 2, -1);
      if (wait.happened(1) !== 0) drain.run();
    }
    const length = calls.read(deviceFd, requestAddress, requestBytes);
    if (length > 0) {
      dispatcher.serve(length);
      if (reply.pieces > 0 && calls.writev(deviceFd, reply.iovecAddress, reply.pieces) < 0) {
        const end = afterFailedReply(calls.errno(), onReport);
        if (end !== null) return end;
      }
      continue;
    }
    const code = length === 0 ? 'ECONNABORTED' : codeOf(calls.errno());
    if (code === 'EAGAIN') {
      if (waitsLeft === 0) waitsLeft = WAITS_BETWEEN_LOOKS;
    } else if (code === 'ENODEV') {
      return 'unmounted';
    } else if (code === 'ECONNABORTED' || code === 'EBADF') {
      return 'aborted';
    } else if (code !== 'EINTR' && code !== 'ENOENT') {
      onReport(new Error(`reading /dev/fuse failed: ${code}`));
      return 'aborted';
    }
  }
}

/** ENOENT: nobody waits for this answer any more. Else the request has ended with an error on the kernel's side. */
function afterFailedReply(errno: number, onReport: (error: unknown) => void): LoopEnd | null {
  const code = codeOf(errno);
  if (code === 'ENODEV') return 'unmounted';
  if (code !== 'ENOENT' && code !== 'EINTR') onReport(new Error(`the kernel refused a reply: ${code}`));
  return null;
}

/** Takes the count out of the eventfd, so that it wakes nobody again. */
class WakeDrain {
  private readonly target: number;

  constructor(
    private readonly fd: number,
    private readonly calls: ReturnType<typeof bindDeviceCalls>,
    private readonly buffer = new ArrayBuffer(64),
  ) {
    this.target = addressOf(this.buffer);
  }

  run(): void {
    this.calls.read(this.fd, this.target, 8);
  }
}
