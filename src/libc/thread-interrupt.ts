import { DaxError } from './errors.js';
import { lastErrno, lazy, native } from './load.js';

/**
 * Interrupts a system call in which another thread of this process waits. A signal whose handler does nothing, installed
 * without SA_RESTART, makes the call fail with EINTR. The sender cannot know whether the other thread was in the call
 * yet: it must send again until the thread has answered.
 */

// struct sigaction of glibc and musl on 64-bit Linux: handler @0, mask of 1,024 bits @8, flags @136, restorer @144.
const SIGACTION_BYTES = 152;
const SIG_DFL = 0n;
const SIG_UNBLOCK = 1;
const ESRCH = 3;
/** Real-time signals that no library here uses: glibc and musl keep those below 35, V8 and Node use none. */
const FIRST_SIGNAL = 40;
const LAST_SIGNAL = 63;
const tgkillNumber = process.arch === 'x64' ? 234 : 131;
const gettidNumber = process.arch === 'x64' ? 186 : 178;

const sigaction = lazy('int sigaction(int signal, void *action, void *previous)');
const pthreadSigmask = lazy('int pthread_sigmask(int how, void *set, void *previous)');
// glibc has functions for both since 2.30 only.
const syscall = lazy('long syscall(long number, long first, long second, long third)');

let chosen: number | undefined;

/**
 * Chooses a real-time signal and installs its handler, once for all threads of the process.
 * @throws DaxError EAGAIN when every one of them has a handler already
 */
export function interruptSignal(): number {
  chosen ??= takeSignal();
  return chosen;
}

function takeSignal(): number {
  const handler = harmlessFunction();
  const action = new BigUint64Array(SIGACTION_BYTES / 8);
  for (let signal = FIRST_SIGNAL; signal <= LAST_SIGNAL; signal += 1) {
    if (sigaction(signal, null, action) !== 0) continue;
    if (action[0] === handler) return signal; // another isolate of this process installed it
    if (action[0] !== SIG_DFL) continue;
    const wanted = new BigUint64Array(SIGACTION_BYTES / 8);
    wanted[0] = handler;
    if (sigaction(signal, wanted, null) === 0) return signal;
  }
  throw new DaxError('EAGAIN', 'no real-time signal is free, with which a waiting thread could be woken');
}

/** The address of int abs(int), as handler: it takes the signal's number and has no side effect, not even on errno. */
function harmlessFunction(): bigint {
  const { koffi, libc } = native();
  return BigInt(koffi.address(libc.symbol('abs')));
}

/** Unblocks the signal in this thread. @returns the kernel's id of this thread, for {@link interruptThread} */
export function acceptInterrupts(signal: number): number {
  const set = new BigUint64Array(16);
  set[0] = 1n << BigInt(signal - 1); // the parent process may have blocked it
  pthreadSigmask(SIG_UNBLOCK, set, null);
  return syscall(gettidNumber, 0, 0, 0);
}

/** Sends the signal to a thread of this process. Nothing happens when it has ended. */
export function interruptThread(threadId: number, signal: number): void {
  syscall(tgkillNumber, process.pid, threadId, signal);
}

/**
 * True unless the kernel says that this process has no such thread. It needs no descriptor, so it also answers when none is left.
 */
export function isThread(threadId: number): boolean {
  return syscall(tgkillNumber, process.pid, threadId, 0) === 0 || lastErrno() !== ESRCH;
}
