import type { SingleBar } from 'cli-progress';
import { humanSize } from './human.js';

/** Work that takes less than this is over before a bar could be read. */
const bytesWorthABar = 32 * 1024 * 1024;

export interface Progress {
  /** Bytes done so far, of all, and what is being worked on. */
  update(bytes: number, what: string): void;
  stop(): void;
}

/** A bar on stderr when stderr is a terminal and there is much to do; nothing otherwise. */
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
