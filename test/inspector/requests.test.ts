/** Who gets an answer, and what hostile requests do to the server: nothing. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BusView } from '../../src/inspector/wire.js';
import { makeScene, type Scene } from './support.js';

let scene: Scene;
beforeAll(async () => {
  scene = await makeScene();
});
afterAll(() => scene.close());

const change = (headers: Record<string, string>, body = '{"mode":"famfs"}') =>
  scene.ask('/api/devices/dax1.0/mode', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
const ownOrigin = () => ({ origin: `http://127.0.0.1:${scene.inspector.port}` });

/** Sends bytes as they are. @returns what came back until the server closed the connection, or said nothing for a second */
async function raw(text: string): Promise<string> {
  const socket = connect(scene.inspector.port, '127.0.0.1');
  socket.setTimeout(1000, () => socket.destroy());
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
    socket.end();
  });
  // A server that has enough resets the connection.
  socket.on('error', () => {});
  const closed = new Promise((done) => socket.on('close', done));
  socket.write(text, 'latin1');
  await closed;
  return heard;
}

describe('the inspector answers only', () => {
  it('on 127.0.0.1, with another token each time', async () => {
    const other = await makeScene();
    try {
      expect(scene.inspector.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32}$/);
      expect(other.inspector.token).not.toBe(scene.inspector.token);
    } finally {
      await other.close();
    }
  });

  it('the page itself with the token in its URL', async () => {
    const { token } = scene.inspector;
    expect(await scene.ask(`/?token=${token}`, { isStranger: true })).toMatchObject({ status: 200 });
    for (const query of ['', '?token=', `?token=${token}x`, `?token=${token.slice(1)}`])
      expect(await scene.ask(`/${query}`), query).toMatchObject({ status: 403 });
  });

  it('the API with the token in a header, and never in the URL', async () => {
    const { token } = scene.inspector;
    expect((await scene.ask('/api/bus')).status).toBe(200);
    for (const path of ['bus', 'events', 'devices/dax0.0/map', 'no-such-thing'])
      expect(await scene.ask(`/api/${path}?token=${token}`, { isStranger: true }), path).toMatchObject({
        status: 403,
      });
  });

  it('to its own names: another Host is refused, as DNS rebinding would send it', async () => {
    const { port } = scene.inspector;
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`])
      expect((await scene.ask('/api/bus', { headers: { host } })).status, host).toBe(200);
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1:${port + 1}`,
      `[::1]:${port}`,
    ])
      expect((await scene.ask('/api/bus', { headers: { host } })).status, host).toBe(403);
  });

  it('to pages of its own origin', async () => {
    for (const origin of ['http://evil.example', 'null', `https://127.0.0.1:${scene.inspector.port}`])
      expect((await scene.ask('/api/bus', { headers: { origin } })).status, origin).toBe(403);
    expect((await scene.ask('/api/bus', { headers: ownOrigin() })).status).toBe(200);
  });

  it('GET and POST', async () => {
    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD', 'TRACE'])
      expect((await scene.ask('/api/bus', { method })).status, method).toBe(405);
  });

  it('with headers that keep scripts of others, frames and caches out', async () => {
    const { headers } = await scene.ask('/api/bus');
    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('a change', () => {
  it('needs POST, the token, the Origin of the page and a JSON object', async () => {
    expect((await scene.ask('/api/devices/dax1.0/mode?mode=famfs', { headers: ownOrigin() })).status).toBe(
      400,
    );
    expect((await change({})).status).toBe(403);
    expect((await change({ origin: 'http://evil.example' })).status).toBe(403);
    expect((await change({ ...ownOrigin(), 'x-udax-token': 'wrong' })).status).toBe(403);
    expect((await change({ ...ownOrigin(), 'content-type': 'text/plain' })).status).toBe(400);
    for (const body of [
      '',
      '[]',
      'null',
      '{',
      '{"mode":7}',
      '{"mode":"root"}',
      `{"mode":"${'x'.repeat(5000)}"}`,
    ])
      expect((await change(ownOrigin(), body)).status, body.slice(0, 20)).toBe(400);
    const { devices } = await scene.get<BusView>('bus');
    expect(devices.map(({ mode }) => mode)).toEqual(['famfs', 'devdax']);
  });

  it('that an inspector for looking is asked for is EROFS, and nothing changes', async () => {
    const other = await makeScene({ readOnly: true });
    try {
      const { status, text } = await other.ask('/api/devices/dax1.0/mode', {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: `http://127.0.0.1:${other.inspector.port}` },
        body: '{"mode":"famfs"}',
      });
      expect([status, JSON.parse(text).error.code]).toEqual([403, 'EROFS']);
      expect(other.machine.deviceInfo('dax1.0').mode).toBe('devdax');
    } finally {
      await other.close();
    }
  });
});

describe('a hostile request ends nothing', () => {
  const host = () => `Host: 127.0.0.1:${scene.inspector.port}`;
  const token = () => `x-udax-token: ${scene.inspector.token}`;

  it('whatever its URL is', async () => {
    for (const path of [
      '//',
      '//evil/api/bus',
      '/%',
      '/%zz',
      '/%00',
      '/api/%2e%2e/bus',
      '/api/..',
      '/api/',
      `/${'a'.repeat(8000)}`,
    ])
      expect((await scene.ask(path)).status, path.slice(0, 20)).toBeGreaterThanOrEqual(400);
    for (const target of ['*', 'http://evil.example/api/bus', 'api/bus', '/\\..\\', '?'])
      expect(await raw(`GET ${target} HTTP/1.1\r\n${host()}\r\n${token()}\r\n\r\n`), target).toMatch(
        /^HTTP\/1\.1 4\d\d /,
      );
  });

  it('whatever names and numbers it gives', async () => {
    for (const path of [
      'devices/dax9.9/map',
      'devices/__proto__/map',
      'devices/dax0.0/map?from=-1',
      'devices/dax0.0/map?from=9999999999999999',
      'devices/dax0.0/map?cells=0',
      'devices/dax0.0/map?cells=99999999',
      'devices/dax0.0/map?from=5&to=4',
      'devices/dax0.0/at?offset=1e3',
      'devices/dax0.0/at?offset=9007199254740991',
      'devices/dax0.0/mode?to=__proto__',
      'volumes/dax1.0',
      'volumes/..%2f..%2fetc/tree',
      'volumes/dax0.0/tree?path=/../../etc',
      'volumes/dax0.0/file?path=/nobody',
      'volumes/dax0.0/arena?path=/nobody',
      'tours/nobody',
      '__proto__',
      'constructor',
      'tours/a/b/c',
    ]) {
      const { status } = await scene.ask(`/api/${path}`);
      expect([status >= 400 && status < 500, path]).toEqual([true, path]);
    }
  });

  it('files of the disk are never served, only those of the page', async () => {
    for (const path of [
      '/package.json',
      '/../package.json',
      '/assets/../../index.js',
      '/assets/',
      '/index.js',
      '/LICENSES.txt',
    ])
      expect((await scene.ask(path)).status, path).toBe(404);
  });

  it('whatever is no HTTP, too long or half', async () => {
    for (const text of [
      'nonsense\r\n\r\n',
      '\x00\xff\x16\x03\x01',
      `GET / HTTP/1.1\r\n${host()}\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`,
      `GET / HTTP/1.1\r\n${host()}\r\n${'A: b\r\n'.repeat(5000)}\r\n`,
      `POST /api/devices/dax1.0/mode HTTP/1.1\r\n${host()}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
      `POST /api/devices/dax1.0/mode HTTP/1.1\r\n${host()}\r\n${token()}\r\nContent-Length: 99999999\r\n\r\n{`,
      `CONNECT evil:80 HTTP/1.1\r\n${host()}\r\n\r\n`,
      `GET / HTTP/1.1\r\n${host()}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      'GET / HTTP/1.1\r\n\r\n',
    ])
      expect(await raw(text), text.slice(0, 30)).not.toMatch(/^HTTP\/1\.1 (2|5)/);
  });

  it('and afterwards it still answers', async () => {
    const { devices } = await scene.get<BusView>('bus');
    expect(devices.map(({ name }) => name)).toEqual(['dax0.0', 'dax1.0']);
  });
});
