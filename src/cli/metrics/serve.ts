import { once } from 'node:events';
import { lstatSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { asDaxError, fail, hasCode, isError } from '../../libc/index.js';
import { CONTENT_TYPE } from './exposition.js';

/** Answers within this time of the last look are that look's: many readers cost no more than one. */
const FRESH_MS = 1000;
const MOST_CONNECTIONS = 16;
const SLOWEST_MS = 10_000;

/** Where to listen: a port of this host (of another address only when it is spelled out), or a socket file. */
export type ListenAt = { host: string; port: number } | { path: string };

/** @throws DaxError EINVAL it is neither HOST:PORT nor unix:PATH */
export function listenArgument(text: string): ListenAt {
  if (text.startsWith('unix:') && text.length > 'unix:'.length) return { path: text.slice('unix:'.length) };
  const [, host, digits] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535)
    fail('EINVAL', `"${text}" is no place to listen: HOST:PORT (127.0.0.1:9464), PORT, or unix:PATH`);
  return { host: (host ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1'), port };
}

/** The same place for a process in another directory. */
export function absolutePlace(text: string): string {
  const at = listenArgument(text);
  return 'path' in at ? `unix:${resolve(at.path)}` : text;
}

/** A server of metrics. */
export interface MetricsServer {
  /** `http://127.0.0.1:9464/metrics`, or `unix:/run/udax/metrics.sock`. */
  readonly address: string;
  /** Rejects when the server fails; it never resolves. */
  readonly failure: Promise<never>;
  /** Ends it at once, with what it answers just now; the file of its socket goes too. */
  close(): void;
}

/**
 * Begins to serve GET /metrics.
 * @throws DaxError EADDRINUSE, EACCES, EINVAL
 */
export async function listenForMetrics(at: ListenAt, look: () => Promise<string>): Promise<MetricsServer> {
  let last: { at: number; text: Promise<string> } | undefined;
  const fresh = (): Promise<string> => {
    if (last === undefined || performance.now() - last.at > FRESH_MS)
      last = { at: performance.now(), text: look() };
    return last.text;
  };
  const server = createServer((request, response) => void answer(request, response, fresh));
  server.maxConnections = MOST_CONNECTIONS;
  server.headersTimeout = SLOWEST_MS;
  server.requestTimeout = SLOWEST_MS;
  server.setTimeout(SLOWEST_MS, (socket) => socket.destroy());
  const failure = once(server, 'error').then(([error]): never => {
    throw asDaxError(error, `listening at ${addressOf(at)}`);
  });
  failure.catch(() => {}); // whoever waits gets it
  if ('path' in at) await removeDeadSocket(at.path);
  server.listen(at);
  await Promise.race([once(server, 'listening'), failure]);
  const bound = server.address();
  const isPort = typeof bound === 'object' && bound !== null && 'host' in at;
  return {
    address: addressOf(isPort ? { ...at, port: bound.port } : at),
    failure,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function addressOf(at: ListenAt): string {
  if ('path' in at) return `unix:${at.path}`;
  return `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}/metrics`;
}

/** Removes a socket that a killed process left behind. One that somebody serves stays, and listening there is EADDRINUSE. */
async function removeDeadSocket(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch (error) {
    if (hasCode(error, 'ECONNREFUSED')) rmSync(path, { force: true });
  } finally {
    socket.destroy();
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  look: () => Promise<string>,
): Promise<void> {
  const send = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
    response.end(request.method === 'HEAD' ? '' : text);
  };
  request.resume();
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'GET /metrics\n');
  if (request.url?.split('?')[0] !== '/metrics') return send(404, 'GET /metrics\n');
  try {
    send(200, await look(), CONTENT_TYPE);
  } catch (error) {
    send(500, `${isError(error) ? error.message : String(error)}\n`);
  }
}
