/** Answers as bytes on the wire, all of them with the headers that keep other pages out. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { asDaxError, type DaxError, type ErrnoCode, fail } from '../../libc/index.js';
import type { Refused } from '../wire.js';

const MOST_BODY_BYTES = 4096;

/** Nothing but this server's own files runs in the page, and nothing frames it. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

const STATUS_OF: Partial<Record<ErrnoCode, number>> = {
  EINVAL: 400,
  ENAMETOOLONG: 400,
  EACCES: 403,
  EPERM: 403,
  EROFS: 403,
  ENOENT: 404,
  ENODEV: 404,
  ENOTDIR: 404,
  EISDIR: 404,
  ENXIO: 409,
  EBUSY: 409,
  ESTALE: 409,
};

export function send(
  response: ServerResponse,
  status: number,
  bytes: string | Uint8Array,
  type: string,
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    'content-type': type,
    'content-length': Buffer.byteLength(bytes),
  });
  response.end(bytes);
}

export function sendDocument(response: ServerResponse, document: unknown, status = 200): void {
  send(response, status, JSON.stringify(document), 'application/json; charset=utf-8');
}

/** Tells an error with its errno code. An error that has none is one too: the server goes on. */
export function sendError(response: ServerResponse, error: unknown, what: string): void {
  const known = asDaxError(error, what);
  const {
    code = 'EIO',
    message,
    path,
  } = (known instanceof Error ? known : new Error(String(known))) as Partial<DaxError> & Error;
  const refused: Refused = { error: { code, message, ...(path !== undefined && { path }) } };
  sendDocument(response, refused, STATUS_OF[code] ?? 500);
}

/** The JSON object in the body of a request. @throws DaxError EINVAL none, too long, or another type of content */
export async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    fail('EINVAL', 'the body of a change is application/json');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BODY_BYTES) fail('EINVAL', `the body is longer than ${MOST_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return fail('EINVAL', 'the body is not a JSON object');
}
