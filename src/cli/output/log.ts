import { jsonText } from './table.js';

/** How a program that goes on writes what it has to say: lines for people, or one JSON object a line for a collector of logs. */
export type LogFormat = 'text' | 'json';
export type LogLevel = 'info' | 'warning' | 'error';

/**
 * A line of a JSON log: `{"time":"2026-01-31T12:00:00.000Z","level":"error","pid":4711,"message":"..."}`, and the code, path and hint of an
 * error. Line breaks within a message are escaped, as JSON has it.
 */
export function jsonLine(
  level: LogLevel,
  message: string,
  details: Readonly<Record<string, string>> = {},
): string {
  const time = new Date().toISOString();
  return `${jsonText({ time, level, pid: process.pid, message, ...details })}\n`;
}

/** Makes the warnings of this process lines of the log, too: Node prints them as text. */
export function logWarnings(): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message, code }: Error & { code?: string }) => {
    process.stderr.write(jsonLine('warning', `${name}: ${message}`, code === undefined ? {} : { code }));
  });
}
