import { bindDeviceCalls, codeOf } from '../libc/index.js';
import type { Dispatcher } from './dispatcher.js';

export type LoopEnd = 'unmounted' | 'aborted' | 'stopped';

export interface LoopOptions {
  /** /dev/fuse, blocking: a wake-up is a message that the kernel is made to send (see `encodeWakeUp`). */
  readonly deviceFd: number;
  /** Word 0: not 0 when a message waits (CONTROL_MESSAGE) or the loop shall stop (CONTROL_STOP). */
  readonly control: Int32Array;
  readonly dispatcher: Dispatcher;
  /** Called between two requests when a message waits. */
  readonly onControl: () => void;
  readonly onReport: (error: unknown) => void;
}

export const CONTROL_MESSAGE = 1;
export const CONTROL_STOP = 2;

/**
 * Serves requests until the mount is gone ('unmounted': ENODEV), the connection was ended ('aborted'), or somebody
 * asked for it ('stopped'). Blocks its thread in read(2): two system calls a request, as a server in C has, where a
 * poll(2) for wake-ups of our own would be a third.
 */
export function runLoop(options: LoopOptions): LoopEnd {
  const { deviceFd, control, dispatcher, onControl, onReport } = options;
  const calls = bindDeviceCalls();
  const { reply, requestAddress } = dispatcher;
  const requestBytes = dispatcher.request.byteLength;
  for (;;) {
    const asked = Atomics.load(control, 0);
    if (asked !== 0) {
      if ((asked & CONTROL_STOP) !== 0) return 'stopped';
      Atomics.and(control, 0, ~CONTROL_MESSAGE);
      onControl();
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
    // 0 is /dev/null, which endDevice() puts in the place of the device.
    const end = afterFailedRead(length === 0 ? 'ECONNABORTED' : codeOf(calls.errno()), onReport);
    if (end !== null) return end;
  }
}

/** ENOENT: the request was withdrawn before it was read. */
function afterFailedRead(code: string, onReport: (error: unknown) => void): LoopEnd | null {
  if (code === 'EINTR' || code === 'ENOENT' || code === 'EAGAIN') return null;
  if (code === 'ENODEV') return 'unmounted';
  if (code !== 'ECONNABORTED' && code !== 'EBADF') onReport(new Error(`reading /dev/fuse failed: ${code}`));
  return 'aborted';
}

/** ENOENT: nobody waits for this answer any more. Else the request has ended with an error on the kernel's side. */
function afterFailedReply(errno: number, onReport: (error: unknown) => void): LoopEnd | null {
  const code = codeOf(errno);
  if (code === 'ENODEV') return 'unmounted';
  if (code !== 'ENOENT' && code !== 'EINTR') onReport(new Error(`the kernel refused a reply: ${code}`));
  return null;
}
