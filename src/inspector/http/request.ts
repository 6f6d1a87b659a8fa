/** Which requests are answered at all. Everything about a request is hostile until it passed here. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The header that carries the token. A page of another origin cannot set it without being asked first, which is refused. */
const TOKEN_HEADER = 'x-udax-token';
const MOST_URL_CHARACTERS = 4096;

/** A request that may be answered. */
export interface Asked {
  readonly method: 'GET' | 'POST';
  /** Decoded parts of the path: `/api/devices/dax0.0/map` is ['api', 'devices', 'dax0.0', 'map']. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

export interface Rejected {
  readonly status: 400 | 403 | 404 | 405 | 414;
  readonly why: string;
}

export interface GuardOptions {
  readonly port: number;
  readonly token: string;
}

/**
 * Decides by host, origin, method, URL and token, in this order.
 * The page itself takes the token from the URL's query; its assets, which have nothing of the machine, need none.
 */
export function examine(request: IncomingMessage, { port, token }: GuardOptions): Asked | Rejected {
  const { host, origin } = request.headers;
  const names = [`127.0.0.1:${port}`, `localhost:${port}`];
  // A name that an attacker's DNS points here is refused, whatever it resolves to.
  if (host === undefined || !names.includes(host))
    return { status: 403, why: 'this server answers only to 127.0.0.1 and localhost' };
  if (origin !== undefined && !names.some((name) => origin === `http://${name}`))
    return { status: 403, why: 'a page of another origin asked' };
  const { method } = request;
  if (method !== 'GET' && method !== 'POST') return { status: 405, why: 'GET, or POST for a change' };
  const target = split(request.url ?? '');
  if ('status' in target) return target;
  const { parts, query } = target;
  if (method === 'POST' && origin === undefined)
    return { status: 403, why: 'a change needs the Origin of the page' };
  const given = parts[0] === 'api' ? request.headers[TOKEN_HEADER] : query.get('token');
  const needsToken = method === 'POST' || parts.length === 0 || parts[0] === 'api';
  if (needsToken && !isToken(given, token))
    return { status: 403, why: 'open the URL that was printed when the inspector started: it has the token' };
  return { method, parts, query };
}

function split(url: string): Pick<Asked, 'parts' | 'query'> | Rejected {
  if (url.length > MOST_URL_CHARACTERS) return { status: 414, why: 'the URL is too long' };
  const [path = '', ...rest] = url.split('?');
  if (!path.startsWith('/') || path.startsWith('//'))
    return { status: 400, why: 'the URL is not a path of this server' };
  try {
    const parts = path.slice(1).split('/').map(decodeURIComponent);
    if (parts.some((part) => part === '..' || part === '.' || part.includes('\0')))
      return { status: 404, why: 'there is nothing at such a path' };
    return { parts: path === '/' ? [] : parts, query: new URLSearchParams(rest.join('?')) };
  } catch {
    return { status: 400, why: 'the URL is not encoded as URLs are' };
  }
}

function isToken(given: unknown, token: string): boolean {
  if (typeof given !== 'string') return false;
  const [is, want] = [Buffer.from(given), Buffer.from(token)];
  return is.length === want.length && timingSafeEqual(is, want);
}
