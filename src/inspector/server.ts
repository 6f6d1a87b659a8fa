/** The inspector as a server: one port of 127.0.0.1, one token. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { asDaxError } from '../libc/index.js';
import { streamEvents } from './events/stream.js';
import { bodyOf, send, sendDocument, sendError } from './http/answer.js';
import { type Asset, pageAssets } from './http/assets.js';
import { type Asked, examine } from './http/request.js';
import { change, getRoute } from './http/routes.js';
import { Inspected } from './inspected.js';
import type { AnyMachine } from './views/looked.js';
import type { ShownMount } from './wire.js';

const HOST = '127.0.0.1';
const TOKEN_BYTES = 24;
const MOST_CONNECTIONS = 64;
const SLOWEST_MS = 10_000;
const PLAIN = 'text/plain; charset=utf-8';

export interface InspectorOptions {
  /** 0 (default): a free one. */
  port?: number;
  /** Refuses every change that the page could ask for. Default false. */
  readOnly?: boolean;
  /** The mounts to show with the bus. Default: none. */
  mounts?: () => Promise<ShownMount[]>;
  /** What the mounts of this host count, by the names of docs/metrics.md; asked once a second while a page looks. Default: nothing. */
  mountCounters?: () => Promise<Record<string, number>>;
  /** Told of what went wrong while nobody asked. Default: nothing is told. */
  onProblem?: (message: string) => void;
}

/** A running inspector. */
export interface Inspector {
  /** With the token: whoever has it may look and change. */
  readonly url: string;
  readonly port: number;
  readonly token: string;
  /** Ends all connections. The machine stays open. Idempotent. */
  close(): Promise<void>;
}

/**
 * Serves the page of a machine at 127.0.0.1.
 * @throws DaxError EADDRINUSE, EACCES the port; ENOENT the package was not built
 */
export async function startInspector(
  machine: AnyMachine,
  options: InspectorOptions = {},
): Promise<Inspector> {
  const { port = 0, readOnly = false, mounts = async () => [], onProblem = () => {} } = options;
  const { mountCounters = async () => ({}) } = options;
  const assets = pageAssets();
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const server = createServer();
  server.maxConnections = MOST_CONNECTIONS;
  server.headersTimeout = SLOWEST_MS;
  server.requestTimeout = SLOWEST_MS;
  const inspected = new Inspected(machine, {
    readOnly: readOnly ? 'this inspector was started to look only' : null,
    mounts,
    mountCounters,
    failed: onProblem,
  });
  try {
    await listen(server, port);
  } catch (error) {
    inspected.close();
    throw error;
  }
  const bound = (server.address() as { port: number }).port;
  const guard = { port: bound, token };
  server.on('request', (request, response) => {
    request.on('error', () => {});
    response.on('error', () => {});
    const asked = examine(request, guard);
    if ('why' in asked) {
      request.resume();
      send(response, asked.status, `${asked.why}\n`, PLAIN);
    } else answer(asked, request, response, inspected, assets);
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
    else socket.destroy();
  });
  let closing: Promise<unknown> | undefined;
  return {
    url: `http://${HOST}:${bound}/?token=${token}`,
    port: bound,
    token,
    close: async () => {
      closing ??= closed(server, inspected);
      await closing;
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  const failure = once(server, 'error').then(([error]) => {
    throw asDaxError(error, `listening at ${HOST}:${port}`);
  });
  server.listen(port, HOST);
  await Promise.race([once(server, 'listening'), failure]);
  // From here on an error of the server is an error of one connection.
  server.on('error', () => {});
  failure.catch(() => {});
}

async function closed(server: Server, inspected: Inspected): Promise<void> {
  inspected.close();
  const end = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await end;
}

function answer(
  asked: Asked,
  request: IncomingMessage,
  response: ServerResponse,
  inspected: Inspected,
  assets: ReadonlyMap<string, Asset>,
): void {
  const [first, ...rest] = asked.parts;
  if (asked.method === 'POST') void post(rest, first === 'api', request, response, inspected);
  else if (first === 'api') void get(asked, rest, request, response, inspected);
  else {
    request.resume();
    const asset = assets.get(asked.parts.length === 0 ? 'index.html' : asked.parts.join('/'));
    if (asset === undefined) send(response, 404, 'there is no such file\n', PLAIN);
    else send(response, 200, asset.bytes, asset.type);
  }
}

async function get(
  { query }: Asked,
  parts: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
  inspected: Inspected,
): Promise<void> {
  request.resume();
  if (parts.length === 1 && parts[0] === 'events') {
    streamEvents(response, inspected.log);
    inspected.look();
    return;
  }
  const route = getRoute(parts);
  if (route === null) {
    send(response, 404, 'there is nothing at such a path\n', PLAIN);
    return;
  }
  try {
    sendDocument(response, await route(inspected, query));
  } catch (error) {
    sendError(response, error, parts.join('/'));
  }
}

async function post(
  parts: readonly string[],
  isApi: boolean,
  request: IncomingMessage,
  response: ServerResponse,
  inspected: Inspected,
): Promise<void> {
  try {
    const body = await bodyOf(request);
    sendDocument(response, change(inspected, isApi ? parts : [], body));
    inspected.look();
  } catch (error) {
    sendError(response, error, 'the change');
    request.resume();
  }
}
