/** The examples of services: HTTP with Range, a vector search, SQLite over a mount. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { request } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openVolume } from '../src/index.js';
import { because, noMounts } from './mounts/support.js';

const example = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const run = (name: string, ...args: string[]) =>
  execFileSync(process.execPath, [example(name), ...args], { encoding: 'utf8' });

describe('the HTTP server of files', () => {
  let directory: string;
  let server: ReturnType<typeof spawn>;
  let port = 0;
  const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));

  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-http-test-'));
    const root = path.join(directory, 'pool');
    const volume = openVolume(root, { size: '64MiB' });
    volume.mkdir('/d');
    await volume.writeFile('/d/a b', content);
    await volume.writeFile('/empty', Buffer.alloc(0));
    volume.close();
    server = spawn(process.execPath, [example('http-range/main.mjs'), root], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface({ input: server.stdout! }), 'line');
    port = Number(new URL(String(line)).port);
  });
  afterAll(() => {
    server.kill('SIGKILL');
    fs.rmSync(directory, { recursive: true, force: true });
  });

  /** As it is written: fetch() would change the path and add headers. */
  async function ask(target: string, headers: Record<string, string> = {}, method = 'GET') {
    const sent = request({ host: '127.0.0.1', port, path: target, method, headers }).end();
    const [response] = await once(sent, 'response');
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece);
    return { status: response.statusCode as number, headers: response.headers, body: Buffer.concat(pieces) };
  }
  const file = '/d/a%20b';

  it('gives the whole file, with its length and an ETag', async () => {
    const { status, headers, body } = await ask(file);
    expect([status, headers['content-length'], headers['accept-ranges']]).toEqual([200, '100000', 'bytes']);
    expect(headers.etag).toMatch(/^"[^"]+"$/);
    expect(body.equals(content)).toBe(true);
  });

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=4096-8191', 4096, 8192],
    ['bytes=99999-', 99_999, 100_000],
    ['bytes=90000-200000', 90_000, 100_000],
    ['bytes=-10', 99_990, 100_000],
    ['bytes=-200000', 0, 100_000],
  ])('gives %s as 206 with the bytes asked', async (range, start, end) => {
    const { status, headers, body } = await ask(file, { range });
    expect([status, headers['content-range']]).toEqual([206, `bytes ${start}-${end - 1}/100000`]);
    expect(body.equals(content.subarray(start, end))).toBe(true);
  });

  it.each(['bytes=100000-', 'bytes=100000-100001', 'bytes=-0'])(
    'answers %s with 416 and the size',
    async (range) => {
      const { status, headers } = await ask(file, { range });
      expect([status, headers['content-range']]).toEqual([416, 'bytes */100000']);
    },
  );

  it.each(['bytes=5-4', 'bytes=0-1,4-5', 'lines=1-2', 'bytes=-', 'bytes=a-b'])(
    'takes %s for no range',
    async (range) => {
      const { status, body } = await ask(file, { range });
      expect([status, body.length]).toEqual([200, 100_000]);
    },
  );

  it('answers HEAD as GET, without a body', async () => {
    const { status, headers, body } = await ask(file, { range: 'bytes=0-9' }, 'HEAD');
    expect([status, headers['content-length'], body.length]).toEqual([206, '10', 0]);
  });

  it('knows what the client has: 304 for its ETag, and a range only of the file that If-Range names', async () => {
    const { etag } = (await ask(file)).headers as { etag: string };
    expect((await ask(file, { 'if-none-match': `"x", ${etag}` })).status).toBe(304);
    expect((await ask(file, { 'if-none-match': '"x"' })).status).toBe(200);
    expect((await ask(file, { range: 'bytes=0-9', 'if-range': etag })).status).toBe(206);
    expect((await ask(file, { range: 'bytes=0-9', 'if-range': '"x"' })).status).toBe(200);
  });

  it('has answers for what is no file, and for an empty one', async () => {
    expect((await ask('/d')).status).toBe(404);
    expect((await ask('/none')).status).toBe(404);
    expect((await ask('/%zz')).status).toBe(400);
    expect((await ask('/../../etc/passwd')).status).toBe(404);
    expect((await ask(file, {}, 'DELETE')).status).toBe(405);
    expect(await ask('/empty')).toMatchObject({ status: 200, headers: { 'content-length': '0' } });
    expect((await ask('/empty', { range: 'bytes=0-' })).status).toBe(416);
  });

  it('shows itself', () => {
    const output = run('http-range/main.mjs');
    for (const line of [
      /^whole +200 +134217728 bytes$/m,
      /^range +206 +4096 bytes +bytes 4096-8191\/134217728$/m,
      /^beyond +416/m,
      /^head +200 +0 bytes$/m,
      /^known +304/m,
    ])
      expect(output).toMatch(line);
  });
});

describe('the vector search', () => {
  it('finds the same over mapped memory as in heaps, and copies nothing', () => {
    const output = run('vector-search/main.mjs', '200000', '5');
    expect(output).toMatch(/^200000 vectors of 128 float32 \(97\.7 MiB\), \d+ threads, 5 queries$/m);
    expect(output).toMatch(
      /^udax +loaded in \d+ ms, 0\.0 MiB copied, first query [\d.]+ ms, then [\d.]+ ms$/m,
    );
    expect(output).toMatch(
      /^heap +loaded in \d+ ms, 97\.7 MiB copied, first query [\d.]+ ms, then [\d.]+ ms$/m,
    );
    expect(output).toMatch(/^answers +right, and the same both ways$/m);
  });
});

const noSqlite =
  spawnSync('python3', ['-c', 'import sqlite3']).status === 0 ? '' : ' (skipped: python3 has no sqlite3)';
describe.skipIf(noMounts !== '' || noSqlite !== '')(`SQLite on a mount${because}${noSqlite}`, () => {
  it('writes, reads in three processes at once, and gives the sums that it gives on a disk', () => {
    const output = run('sqlite/main.mjs', '5000');
    const rows = [...output.matchAll(/^(mounted|reader|on \/tmp) +(\d+) rows, sum (\d+), integrity (\w+)/gm)];
    expect(rows.map(([, name]) => name)).toEqual(['mounted', 'reader', 'reader', 'reader', 'on /tmp']);
    const sum = 3 * ((4999 * 5000) / 2) + 2500;
    for (const [, , count, total, check] of rows)
      expect([count, total, check]).toEqual(['5000', String(sum), 'ok']);
    expect(output).toMatch(/begin with "SQLite format 3"$/m);
  });
});
