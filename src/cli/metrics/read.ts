import { get, type IncomingMessage } from 'node:http';
import { DaxError } from '../../libc/index.js';
import { seriesName } from './exposition.js';

/** A mount that does not answer in this time is shown without its figures. */
const PATIENCE_MS = 500;
const MOST_BYTES = 16 * 2 ** 20;

/** The samples of a text of metrics, by series: name and labels as the text has them. Comments and lines of another form are left out. */
export function samplesOf(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [, series, value] of text.matchAll(/^([a-z_]+(?:\{.*\})?) (\S+)$/gm))
    found.set(series!, Number(value));
  return found;
}

/** The metrics that a mount serves. @throws DaxError ETIMEDOUT, ECONNREFUSED, ENOENT, EIO what is there serves no metrics */
export function fetchMetrics(address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const failed = (code: 'ETIMEDOUT' | 'EIO', why: string) =>
      reject(new DaxError(code, `${address}: ${why}`, { path: address }));
    const answered = (response: IncomingMessage): void => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
        if (text.length > MOST_BYTES) response.destroy(new Error('too long'));
      });
      response.on('end', () =>
        response.statusCode === 200 ? resolve(text) : failed('EIO', `answered ${response.statusCode}`),
      );
      response.on('error', (error) => failed('EIO', error.message));
    };
    const options = { timeout: PATIENCE_MS };
    const asked = address.startsWith('unix:')
      ? get({ ...options, socketPath: address.slice('unix:'.length), path: '/metrics' }, answered)
      : get(address, options, answered);
    asked.on('timeout', () => asked.destroy(new DaxError('ETIMEDOUT', `${address} does not answer`)));
    asked.on('error', reject);
  });
}

/** What a mount has done, as its metrics tell. */
export interface MountCounts {
  requests: number;
  errors: number;
  /** In the daemon, all requests together. */
  seconds: number;
  readBytes: number;
  writtenBytes: number;
  openFiles: number;
  unpublished: number;
  replayLag: number;
  /** Null where the kernel does not tell. */
  waiting: number | null;
}

/** The counts of a mount; null when the text has none of it. */
export function countsOf(text: string, mountpoint: string): MountCounts | null {
  const samples = samplesOf(text);
  const one = (name: string) => samples.get(seriesName(`udax_mount_${name}`, { mountpoint }));
  const openFiles = one('open_files');
  if (openFiles === undefined) return null;
  const ofOperations = (name: string) => {
    const begin = seriesName(`udax_mount_${name}`, { mountpoint }).replace(/\}$/, ',operation=');
    return [...samples].reduce((sum, [series, value]) => (series.startsWith(begin) ? sum + value : sum), 0);
  };
  return {
    requests: ofOperations('operation_seconds_count'),
    errors: ofOperations('operation_errors_total'),
    seconds: ofOperations('operation_seconds_sum'),
    readBytes: one('read_bytes_total') ?? 0,
    writtenBytes: one('written_bytes_total') ?? 0,
    openFiles,
    unpublished: one('unpublished_files') ?? 0,
    replayLag: one('replay_lag_entries') ?? 0,
    waiting: one('waiting_requests') ?? null,
  };
}
