import type { SingleBar } from 'cli-progress';
import { humanSize } from './human.js';

/** Less work than this is done before a bar could be read. */
const bytesWorthABar = 32 * 1024 * 1024;

export interface Progress {
  /** Shows the bytes done so far, of the total, and the name of the current item. */
  update(bytes: number, what: string): void;
  stop(): void;
}

/** Starts a progress bar on stderr when stderr is a terminal and there is much to do; else does nothing. */
export async function startProgress(totalBytes: number): Promise<Progress> {
  if (!process.stderr.isTTY || totalBytes < bytesWorthABar) return { update: () => {}, stop: () => {} };
  const { default: cliProgress } = await import('cli-progress');
  const bar: SingleBar = new cliProgress.SingleBar({
    format: '{bar} {percentage}%  {done} of {all}  {rate}/s  {what}',
    barCompleteChar: '#',
    barIncompleteChar: '.',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    fps: 10,
    stream: process.stderr,
  });
  const started = performance.now();
  const payload = (bytes: number, what: string) => ({
    done: humanSize(bytes),
    all: humanSize(totalBytes),
    rate: humanSize(bytes / Math.max(0.001, (performance.now() - started) / 1000)),
    what,
  });
  bar.start(totalBytes, 0, payload(0, ''));
  return {
    update: (bytes, what) => bar.update(bytes, payload(bytes, what)),
    stop: () => bar.stop(),
  };
}
