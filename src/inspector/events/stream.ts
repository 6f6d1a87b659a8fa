/** Server-sent events: one long answer, a message a line. */
import type { ServerResponse } from 'node:http';
import { SECURITY_HEADERS } from '../http/answer.js';
import type { LiveMessage } from '../wire.js';
import type { EventLog } from './event-log.js';

/** A reader that has not taken this many bytes is cut off, and comes again. */
const MOST_UNREAD_BYTES = 4 * 2 ** 20;
const HEARTBEAT_MS = 15_000;

/** Streams the log to a response until its connection ends. */
export function streamEvents(response: ServerResponse, log: EventLog): void {
  response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'text/event-stream; charset=utf-8' });
  const write = (text: string): void => {
    if (response.writableLength > MOST_UNREAD_BYTES) response.destroy();
    else response.write(text);
  };
  const tell = (message: LiveMessage): void => write(`data: ${JSON.stringify(message)}\n\n`);
  const end = log.listen(tell);
  const heartbeat = setInterval(() => write(':\n\n'), HEARTBEAT_MS);
  heartbeat.unref();
  response.on('close', () => {
    clearInterval(heartbeat);
    end();
  });
}
