import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { Answer } from './connection.js';

/** Calls that block this thread until the VM answers, for lists of behaviours that are written without `await`. */
export class SyncConnection {
  readonly #worker: Worker;
  readonly #answers: MessageChannel['port1'];
  readonly #answered: Int32Array;
  #seen = 0;

  private constructor(worker: Worker, answers: MessageChannel['port1'], answered: Int32Array) {
    this.#worker = worker;
    this.#answers = answers;
    this.#answered = answered;
  }

  /** Listens. Start QEMU after that. */
  static async listen(socketPath: string): Promise<SyncConnection> {
    const signal = new SharedArrayBuffer(4);
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(new URL('./sync-worker.mjs', import.meta.url), {
      workerData: { socketPath, signal, answers: port2 },
      transferList: [port2],
    });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    worker.unref();
    port1.unref();
    return new SyncConnection(worker, port1, new Int32Array(signal));
  }

  /** @throws Error when nothing came in time */
  call(module: string, name: string, args: readonly unknown[], timeoutMs: number): Answer {
    const id = this.#seen + 1;
    this.#worker.postMessage(`${JSON.stringify({ id, module, name, args })}\n`);
    if (Atomics.wait(this.#answered, 0, this.#seen, timeoutMs) === 'timed-out') {
      throw new Error(`no answer in ${timeoutMs} ms`);
    }
    this.#seen = id;
    return JSON.parse((receiveMessageOnPort(this.#answers) as { message: string }).message) as Answer;
  }

  async close(): Promise<void> {
    this.#answers.close();
    await this.#worker.terminate();
  }
}
