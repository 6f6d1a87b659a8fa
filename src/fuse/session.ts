import fs from 'node:fs';
import { Worker } from 'node:worker_threads';
import { closeDescriptor, DaxError, fail, hasCode, isError, startFailure } from '../libc/index.js';
import { writeAndAnswer } from './delayed-writes.js';
import type { LoopEnd } from './loop.js';
import { CONTROL_MESSAGE, CONTROL_STOP, LoopControl, LoopWaker } from './loop-control.js';
import { fuseMountAt, resolveMountpoint, waitingRequests } from './mount-table.js';
import { mountFuse } from './mounting.js';
import { Notifier } from './notifier.js';
import { OperationStats } from './operation-stats.js';
import { printReply } from './protocol/index.js';
import { detachOwnMount, endDevice, onProcessExit, openNowhere, releaseMount } from './session-end.js';
import { type FromWorker, fromPlainError, type ToWorker, type WorkerData } from './session-messages.js';
import type {
  FuseFigures,
  FuseSession,
  FuseSessionEnd,
  FuseSessionOptions,
  FuseUnmountOptions,
} from './session-types.js';
import type { FuseSettledConnection, NodeId } from './types.js';
import { busyMount, clearDeadMount, detachMount, tryUnmount } from './unmount.js';
import { workerFile } from './worker-file.js';

const INIT_TIMEOUT_MS = 20_000;
/** How long a worker may take to end its loop before it is terminated. */
const STOP_TIMEOUT_MS = 3000;

/**
 * Makes the file system in a worker, mounts it, and serves it until it is unmounted. Resolves when the kernel's INIT
 * is answered. A dead mount on the mountpoint is removed first.
 * @throws DaxError ENOENT/ENOTDIR (mountpoint), EPERM/EACCES (mount rights; the message says what to do), EPROTO (old kernel),
 *   ENOSYS (no FUSE here), ETIMEDOUT (no INIT came), or what createFileSystem threw
 */
export async function startSession(options: FuseSessionOptions): Promise<FuseSession> {
  await clearDeadMount(options.mountpoint);
  const session = new Session(options);
  try {
    await session.fileSystemMade;
    session.mount();
    await session.initialized;
    session.raiseReadahead();
  } catch (error) {
    await session.abandon();
    throw error;
  }
  return session;
}

class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (error: Error) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Waiting callers get a rejection. Without any, this handler keeps it from being an unhandled rejection.
    this.promise.catch(() => undefined);
  }
}

class Session implements FuseSession {
  readonly mountpoint: string;
  connection!: FuseSettledConnection;
  #isInitialized = false;
  connectionId = 0;
  readonly #made = new Deferred<void>();
  readonly #init = new Deferred<void>();
  readonly #end = new Deferred<FuseSessionEnd>();
  readonly #control = LoopControl.make();
  readonly #waker = new LoopWaker(this.#control);
  readonly #worker: Worker;
  readonly #calls = new Map<number, Deferred<unknown>>();
  #nextCall = 1;
  #deviceFd = -1;
  /** Takes the place of the device at the end. */
  #nowhereFd = -1;
  #notifier: Notifier | null = null;
  #loopEnd: LoopEnd | null = null;
  #failure: Error | null = null;
  #unmounted = false;
  #stopAsked = false;
  #removeExitHook = () => {};
  #initTimer: NodeJS.Timeout | undefined;
  readonly #options: FuseSessionOptions;
  readonly #stats: OperationStats | undefined;

  constructor(options: FuseSessionOptions) {
    this.#options = options;
    this.#stats = options.measure ? new OperationStats() : undefined;
    this.mountpoint = resolveMountpoint(options.mountpoint);
    const workerData: WorkerData = {
      moduleUrl: String(options.fileSystem.moduleUrl),
      data: options.fileSystem.data,
      mountpoint: this.mountpoint,
      connection: options.connection ?? {},
      wire: options.onWire !== undefined,
      tellRefusals: options.tellRefusals ?? false,
      ...(this.#stats && { stats: this.#stats.memory }),
      control: this.#control.memory,
      signal: this.#control.signal,
    };
    this.#worker = this.#start(workerData);
    this.#worker.on('message', (message: FromWorker) => this.#hear(message));
    this.#worker.on('error', (error) => {
      const told = this.#startFailure(error);
      this.#failure ??= isError(told) ? told : new Error(String(told));
    });
    this.#worker.on('exit', () => void this.#finish());
  }

  /** Starts the thread. A failure to start is thrown here, or arrives as an event. */
  #start(workerData: WorkerData): Worker {
    const file = workerFile('fuse/session-worker.js', import.meta.url);
    try {
      // `node --input-type=module -e ...`: a worker that inherits this cannot run a file.
      const isFromText = process.execArgv.some((word) => word.startsWith('--input-type'));
      return new Worker(file, { workerData, ...(isFromText && { execArgv: [] }) });
    } catch (error) {
      throw this.#startFailure(error);
    }
  }

  #startFailure(error: unknown): unknown {
    return startFailure(`the thread that serves ${this.mountpoint}`, error);
  }

  get fileSystemMade(): Promise<void> {
    return this.#made.promise;
  }

  get initialized(): Promise<void> {
    return this.#init.promise;
  }

  get closed(): Promise<FuseSessionEnd> {
    return this.#end.promise;
  }

  mount(): void {
    this.#nowhereFd = openNowhere();
    const { deviceFd } = mountFuse(this.mountpoint, this.#options.mount ?? {});
    try {
      this.connectionId = this.#findMount();
    } catch (error) {
      // Without its connection id this mount could not be told from others later. Nobody uses it yet, so it is detached now.
      try {
        detachMount(this.mountpoint);
      } finally {
        closeDescriptor(deviceFd);
      }
      throw error;
    }
    this.#deviceFd = deviceFd;
    const { onWire } = this.#options;
    this.#notifier = new Notifier(deviceFd, onWire ? (message) => onWire(printReply(message)) : null);
    this.#removeExitHook = onProcessExit(() => {
      // Node waits for its workers at exit. One that waits in a system call would keep the process alive forever.
      this.#stopAsked = true;
      this.#waker.wakeAndWait(CONTROL_STOP, STOP_TIMEOUT_MS);
      if (!this.#unmounted) releaseMount(this.mountpoint, this.connectionId);
    });
    this.#send({ kind: 'serve', deviceFd });
    this.#initTimer = setTimeout(() => {
      this.#init.reject(new DaxError('ETIMEDOUT', 'the kernel sent no INIT', { path: this.mountpoint }));
    }, INIT_TIMEOUT_MS);
  }

  #findMount(): number {
    const mount = fuseMountAt(this.mountpoint);
    return (
      mount?.connectionId ??
      fail('ENOENT', `the mount on ${this.mountpoint} is gone already`, { path: this.mountpoint })
    );
  }

  /** Sets the read-ahead through the bdi of the mount: INIT can only lower it. A failure (not root) is reported. */
  raiseReadahead(): void {
    const bytes = this.#options.connection?.readaheadBytes;
    if (bytes === undefined) return;
    const file = `/sys/class/bdi/0:${this.connectionId}/read_ahead_kb`;
    try {
      fs.writeFileSync(file, String(Math.ceil(bytes / 1024)), { flag: 'r+' });
    } catch (error) {
      this.#report(
        new Error(`read-ahead stays ${this.connection.maxReadaheadBytes} bytes`, { cause: error }),
      );
    }
  }

  invalidateInode(node: NodeId, offset = 0, length = 0): Promise<boolean> {
    return this.#notifier?.invalidateInode(node, offset, length) ?? Promise.resolve(false);
  }

  invalidateEntry(parent: NodeId, name: string, options: { expireOnly?: boolean } = {}): Promise<boolean> {
    return (
      this.#notifier?.invalidateEntry(parent, name, options.expireOnly ?? false) ?? Promise.resolve(false)
    );
  }

  notifyDelete(parent: NodeId, child: NodeId, name: string): Promise<boolean> {
    return this.#notifier?.notifyDelete(parent, child, name) ?? Promise.resolve(false);
  }

  call(message: unknown): Promise<unknown> {
    if (this.#loopEnd !== null || this.#unmounted) {
      return Promise.reject(new DaxError('ENOTCONN', 'the session has ended', { path: this.mountpoint }));
    }
    const id = this.#nextCall++;
    const answer = new Deferred<unknown>();
    this.#calls.set(id, answer);
    this.#send({ kind: 'call', id, message });
    this.#waker.wake(CONTROL_MESSAGE);
    return answer.promise;
  }

  measured(): FuseFigures | null {
    if (this.#stats === undefined) return null;
    const { readBytes, writtenBytes } = this.#stats;
    const waiting = waitingRequests(this.connectionId);
    return { operations: this.#stats.figures(), readBytes, writtenBytes, waiting };
  }

  async unmount(options: FuseUnmountOptions = {}): Promise<void> {
    if (!this.#unmounted && this.#loopEnd === null) await this.#takeDown(options);
    await this.closed;
  }

  /** Gives everything back after a failed start. */
  async abandon(): Promise<void> {
    if (this.#deviceFd >= 0) {
      if (this.#loopEnd === null) {
        releaseMount(this.mountpoint, this.connectionId);
        this.#unmounted = true;
        await this.#stopWorker();
      }
      await this.closed;
      return;
    }
    this.#send({ kind: 'give up' });
    const stuck = setTimeout(() => void this.#worker.terminate(), STOP_TIMEOUT_MS);
    await this.closed;
    clearTimeout(stuck);
  }

  async #takeDown(options: FuseUnmountOptions): Promise<void> {
    const result = await this.#tryUnmount(options);
    if (result === 'busy' && options.whenBusy === 'fail') {
      throw busyMount(this.mountpoint);
    }
    // An explicit 'abort' ends the session whatever happens: it writes to stderr that the mount could not be detached.
    if (result !== 'done') {
      const detach = options.whenBusy === 'abort' ? releaseMount : detachOwnMount;
      detach(this.mountpoint, this.connectionId);
    }
    this.#unmounted = true;
    await this.#stopWorker();
  }

  async #tryUnmount(options: FuseUnmountOptions): Promise<'done' | 'busy' | 'timeout'> {
    // The visible mount may be another one by now: this one was unmounted by another program, or lies below it.
    try {
      if (fuseMountAt(this.mountpoint)?.connectionId !== this.connectionId) return 'done';
    } catch {
      return 'timeout'; // the mount there is unknown: releaseMount() identifies this one by its connection id
    }
    try {
      return await tryUnmount(this.mountpoint, options);
    } catch (error) {
      if (hasCode(error, 'EINVAL', 'ENOENT')) return 'done'; // another program has unmounted it meanwhile
      throw error;
    }
  }

  /** Stops the worker. Normally its loop has seen ENODEV already; a copy of the mount in another namespace may keep it alive. */
  async #stopWorker(): Promise<void> {
    this.#stopAsked = true;
    this.#waker.wake(CONTROL_STOP);
    const stuck = setTimeout(() => {
      // A handler does not return. End the device first, so that no program waits for it, then the thread.
      endDevice(this.#deviceFd, this.#nowhereFd);
      void this.#worker.terminate();
    }, STOP_TIMEOUT_MS);
    await this.closed;
    clearTimeout(stuck);
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #report(error: Error): void {
    if (this.#options.onReport) this.#options.onReport(error);
    else process.stderr.write(`udax: ${this.mountpoint}: ${error.message}\n`);
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case 'made':
        this.#made.resolve();
        return;
      case 'failed':
        this.#failure = fromPlainError(message.error);
        this.#made.reject(this.#failure);
        this.#init.reject(this.#failure);
        return;
      case 'initialized':
        clearTimeout(this.#initTimer);
        this.connection = message.connection;
        this.#isInitialized = true;
        this.#init.resolve();
        return;
      case 'answer':
        this.#takeCall(message.id)?.resolve(message.value);
        return;
      case 'refusal':
        this.#takeCall(message.id)?.reject(fromPlainError(message.error));
        return;
      case 'wire':
        this.#options.onWire?.(message.line);
        return;
      case 'report':
        this.#report(fromPlainError(message.error));
        return;
      case 'write later':
        writeAndAnswer(this.#deviceFd, message.write, (error) => this.#report(error));
        return;
      case 'post':
        this.#options.onMessage?.(message.message);
        return;
      case 'invalidate inode':
        this.#watch(this.invalidateInode(message.node as NodeId, message.offset, message.length));
        return;
      case 'invalidate entry':
        this.#watch(this.invalidateEntry(message.parent as NodeId, message.name));
        return;
      case 'ended':
        this.#loopEnd = message.reason;
    }
  }

  #watch(sent: Promise<boolean>): void {
    sent.catch((error: Error) => this.#report(error));
  }

  #takeCall(id: number): Deferred<unknown> | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  /** Ends the session after the worker has exited, for any reason: no thread uses the descriptors any more. */
  async #finish(): Promise<void> {
    this.#waker.close();
    clearTimeout(this.#initTimer);
    const ended = new DaxError('ENOTCONN', 'the session has ended', { path: this.mountpoint });
    const failure =
      this.#failure ?? (this.#loopEnd === null ? new Error('the worker of the mount died') : null);
    this.#made.reject(failure ?? ended);
    this.#init.reject(failure ?? ended);
    for (const call of this.#calls.values()) call.reject(ended);
    this.#calls.clear();
    if (this.#deviceFd >= 0) {
      // Before INIT is answered an abort looks like an unmount, but leaves the mount in place.
      const isGone = this.#unmounted || (this.#loopEnd === 'unmounted' && this.#isInitialized);
      if (!isGone) releaseMount(this.mountpoint, this.connectionId);
      this.#unmounted = true;
      endDevice(this.#deviceFd, this.#nowhereFd); // lets waiting notifications fail
      await this.#notifier?.close();
      closeDescriptor(this.#deviceFd);
    }
    if (this.#nowhereFd >= 0) closeDescriptor(this.#nowhereFd);
    this.#removeExitHook();
    this.#end.resolve(this.#reasonOf(failure));
  }

  #reasonOf(failure: Error | null): FuseSessionEnd {
    if (failure !== null && this.#loopEnd === null && !this.#stopAsked)
      return { reason: 'failed', error: failure };
    return { reason: this.#loopEnd === 'aborted' ? 'aborted' : 'unmounted' };
  }
}
