import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { bindDeviceCalls, fail } from '../libc/index.js';
import { Dispatcher } from './dispatcher.js';
import type { FuseFileSystem, FuseFileSystemModule, FuseHost } from './file-system.js';
import { type LoopEnd, runLoop } from './loop.js';
import { CONTROL_MESSAGE, LoopControl } from './loop-control.js';
import { OperationStats } from './operation-stats.js';
import { DeviceBackings } from './serving/backings.js';
import { type FromWorker, type ToWorker, toPlainError, type WorkerData } from './session-messages.js';
import type { FuseSettledConnection } from './types.js';

/**
 * The worker of a session. It makes the file system, waits for the mount, then serves it in a loop that blocks this
 * thread until the end. It posts messages at any time, and takes messages between two requests.
 */
const port = parentPort as MessagePort;
const start = workerData as WorkerData;
const control = new LoopControl(start.control, start.signal);
/** What INIT settled, kept until it is sent to the main thread. */
let settled: FuseSettledConnection | null = null;

function send(message: FromWorker): void {
  port.postMessage(message);
}

const host: FuseHost = {
  mountpoint: start.mountpoint,
  invalidateInode: (node, offset = 0, length = 0) => send({ kind: 'invalidate inode', node, offset, length }),
  writeLater: (write) => {
    port.postMessage({ kind: 'write later', write } satisfies FromWorker, [write.bytes.buffer]);
  },
  invalidateEntry: (parent, name) => send({ kind: 'invalidate entry', parent, name }),
  post: (message) => send({ kind: 'post', message }),
  report: (error) => send({ kind: 'report', error: toPlainError(error) }),
};

async function makeFileSystem(): Promise<FuseFileSystem> {
  const module = (await import(start.moduleUrl)) as Partial<FuseFileSystemModule>;
  if (typeof module.createFileSystem !== 'function') {
    fail('EINVAL', `${start.moduleUrl} exports no createFileSystem(data, host)`, { path: start.moduleUrl });
  }
  return module.createFileSystem(start.data, host);
}

/** Passes waiting messages to the file system. */
function takeMessages(fileSystem: FuseFileSystem): void {
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    const message = next.message as ToWorker;
    if (message.kind === 'call') answerCall(fileSystem, message.id, message.message);
  }
}

function answerCall(fileSystem: FuseFileSystem, id: number, message: unknown): void {
  try {
    if (!fileSystem.message) fail('EOPNOTSUPP', 'this file system takes no messages');
    send({ kind: 'answer', id, value: fileSystem.message(message) });
  } catch (error) {
    send({ kind: 'refusal', id, error: toPlainError(error) });
  }
}

/** Serves until the mount ends. A file system that cannot be served is destroyed too, because it holds files and locks. */
function serve(made: FuseFileSystem, deviceFd: number): void {
  let reason: LoopEnd;
  try {
    reason = serveRequests(made, deviceFd);
  } catch (error) {
    endUnserved(made, error);
    return;
  }
  send({ kind: 'ended', reason });
  // In a worker this ends only the worker, whatever timers or handles the file system has left.
  process.exit();
}

/** Destroys a file system that is not served, reports the failure if there is one, and ends the worker. */
function endUnserved(made: FuseFileSystem, failure?: unknown): void {
  try {
    made.destroy?.();
  } catch (error) {
    host.report(error);
  } finally {
    if (failure !== undefined) send({ kind: 'failed', error: toPlainError(failure) });
    process.exit();
  }
}

function serveRequests(made: FuseFileSystem, deviceFd: number): LoopEnd {
  const calls = bindDeviceCalls();
  const onWire = start.wire ? (line: string) => send({ kind: 'wire', line }) : undefined;
  const dispatcher = new Dispatcher(made, {
    connection: start.connection,
    ...(start.connection.extentMaps && { backings: new DeviceBackings(deviceFd, calls, onWire) }),
    onInit: noteInit,
    onInitFailure: (error) => {
      settled = null;
      send({ kind: 'failed', error: toPlainError(error) });
    },
    onReport: host.report,
    ...(start.tellRefusals ? { onRefusal: host.report } : {}),
    ...(onWire && { onWire }),
  });
  const reason = runLoop({
    deviceFd,
    calls,
    control,
    dispatcher,
    ...(start.stats && { stats: new OperationStats(start.stats) }),
    onControl: () => {
      tellOfInit();
      takeMessages(made);
    },
    onReport: host.report,
  });
  dispatcher.destroy();
  return reason;
}

/**
 * Keeps what INIT settled until the loop has sent the reply, and then tells the main thread. Only after the reply does the kernel
 * use ABORT_ERROR, which distinguishes an abort from an unmount.
 */
function noteInit(connection: FuseSettledConnection): void {
  settled = connection;
  control.set(CONTROL_MESSAGE);
}

function tellOfInit(): void {
  if (settled !== null) send({ kind: 'initialized', connection: settled });
  settled = null;
}

try {
  const fileSystem = await makeFileSystem();
  port.once('message', (message: ToWorker) => {
    if (message.kind === 'serve') serve(fileSystem, message.deviceFd);
    else endUnserved(fileSystem);
  });
  send({ kind: 'made' });
} catch (error) {
  send({ kind: 'failed', error: toPlainError(error) });
  process.exit();
}
