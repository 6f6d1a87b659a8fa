// Files of a volume over HTTP, from mapped memory, with Range.
//
//   npm run build && node examples/http-range/main.mjs                 makes a volume, asks itself, prints the answers
//   node examples/http-range/main.mjs ROOT [PORT]                      serves the volume of a state directory until Ctrl-C
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openVolume } from 'udax';
import { serveFiles } from './serve.mjs';

const MiB = 2 ** 20;
const [root, port = '0'] = process.argv.slice(2);
if (root === undefined) await showItself();
else await serve(root, Number(port));

async function serve(root, port) {
  const volume = openVolume(root, { readOnly: true });
  const server = serveFiles(volume).listen(port, '127.0.0.1');
  await once(server, 'listening');
  console.log(`http://127.0.0.1:${server.address().port}/`);
  await Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)));
  server.closeAllConnections();
  server.close();
  volume.close();
}

async function showItself() {
  const directory = mkdtempSync(join(tmpdir(), 'udax-http-'));
  const volume = openVolume(join(directory, 'pool'), { size: '192MiB' });
  const server = serveFiles(volume).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const bytes = volume.create('/movie', { size: 128 * MiB }).map({ writable: true });
    for (let at = 0; at < bytes.length; at += 4096) bytes[at] = at / 4096;
    const url = `http://127.0.0.1:${server.address().port}/movie`;
    const whole = await ask('whole', url);
    await ask('range', url, { headers: { range: 'bytes=4096-8191' } });
    await ask('last', url, { headers: { range: 'bytes=-10' } });
    await ask('beyond', url, { headers: { range: `bytes=${128 * MiB}-` } });
    await ask('head', url, { method: 'HEAD' });
    await ask('known', url, { headers: { 'if-none-match': whole.headers.get('etag') } });
    await ask('missing', `${url}s`);
    const start = performance.now();
    for (let i = 0; i < 4; i++) await drain(url);
    const seconds = (performance.now() - start) / 1000;
    console.log(`speed    ${((4 * 128) / seconds).toFixed(0)} MiB/s to a reader in this very process`);
  } finally {
    server.closeAllConnections();
    server.close();
    volume.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Reads a file and keeps nothing of it. */
async function drain(url) {
  const [response] = await once(get(url), 'response');
  await once(response.resume(), 'end');
}

async function ask(name, url, options) {
  const response = await fetch(url, options);
  const { byteLength } = await response.arrayBuffer();
  const range = response.headers.get('content-range');
  console.log(`${name.padEnd(8)} ${response.status}  ${byteLength} bytes${range ? `  ${range}` : ''}`);
  return response;
}
