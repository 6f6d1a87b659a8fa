// An HTTP server of the files of a volume. A response body is a view of the memory that the file lies in: nothing is read into this process
// first, and a thousand readers of one file share it. GET, HEAD, one Range, If-Range, If-None-Match.
import { createServer } from 'node:http';
import { readRange } from './range.mjs';

/** A server, not listening yet. */
export function serveFiles(volume) {
  const mapped = new Map(); // ino -> the view of a file, made at its first request
  return createServer((request, response) => {
    try {
      answer(volume, mapped, request, response);
    } catch (error) {
      const status =
        { ENOENT: 404, ENOTDIR: 404, EISDIR: 404, EINVAL: 400, ENAMETOOLONG: 400 }[error.code] ?? 500;
      fail(response, status, error.message);
    }
  });
}

function answer(volume, mapped, request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return fail(response, 405, 'GET or HEAD');
  }
  const stat = volume.stat(pathOf(request.url));
  if (!stat.isFile()) return fail(response, 404, `${stat.path} is no file`);
  const etag = etagOf(volume, stat);
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('etag', etag);
  if (namesTag(request.headers['if-none-match'], etag)) return response.writeHead(304).end();
  const wanted = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
  const range = wanted ? readRange(request.headers.range, stat.size) : null;
  if (range === 'none of it') {
    response.setHeader('content-range', `bytes */${stat.size}`);
    return fail(response, 416, `the file has ${stat.size} bytes`);
  }
  const { start, end } = range ?? { start: 0, end: stat.size };
  response.writeHead(range ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': end - start,
    ...(range && { 'content-range': `bytes ${start}-${end - 1}/${stat.size}` }),
  });
  if (request.method === 'HEAD' || end === start) return response.end();
  response.end(viewOf(volume, mapped, stat).subarray(start, end));
}

/** The memory of a file, mapped once. The mapping goes with the volume. */
function viewOf(volume, mapped, stat) {
  const known = mapped.get(stat.ino);
  if (known?.length === stat.size) return known;
  const view = volume.open(stat.path).map();
  mapped.set(stat.ino, view);
  return view;
}

/**
 * A file keeps its number and size for as long as it has them on the volume; a replaced one gets another number. (Who stores into a
 * file in place, as the writer of a queue does, has to give it times: `volume.utimes()`.)
 */
function etagOf(volume, { ino, size, times }) {
  return `"${volume.superblock.uuid.slice(0, 8)}-${ino}-${size}-${times?.mtimeMs ?? 0}"`;
}

function namesTag(header, etag) {
  return (
    header !== undefined &&
    (header === '*' || header.split(/\s*,\s*/).some((tag) => tag.replace(/^W\//, '') === etag))
  );
}

function pathOf(url) {
  try {
    return decodeURIComponent(new URL(url, 'http://host').pathname);
  } catch {
    throw Object.assign(new Error(`${url} is no path`), { code: 'EINVAL' });
  }
}

function fail(response, status, why) {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(why) + 1,
  });
  response.end(response.req.method === 'HEAD' ? '' : `${why}\n`);
}
