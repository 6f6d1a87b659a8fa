// One model, eight server processes (four Node, four Python), one copy of it in memory.
//
//   npm run build && node examples/model-server/main.mjs [--size 1GiB] [--stay]
//
// Each server loads the same safetensors file and answers HTTP on a port of the loopback interface: first from a plain file, which
// every server reads for itself, then from a udax volume. The table has the time from the start of loading to a view of the last
// tensor, and the memory that the model takes in all servers together (PSS, after each of them has touched every page).
// With --stay the servers of the second round go on until Ctrl-C.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openVolume, parseSize } from 'udax';
import { anonymousBytes, mappedBytes } from './memory.mjs';
import { LAST_TENSOR, TENSORS, writeModel } from './model.mjs';

const { values } = parseArgs({
  options: { size: { type: 'string', default: '1GiB' }, stay: { type: 'boolean', default: false } },
});
const SERVERS_OF_A_KIND = 4;
const GRACE_MS = 10_000;
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const isPythonHere = spawnSync('python3', ['-c', '']).status === 0;
const kinds = isPythonHere ? ['Node', 'Python'] : ['Node'];
const directory = mkdtempSync(join(tmpdir(), 'udax-model-'));
const root = join(directory, 'pool');
const plainFile = join(directory, 'model.safetensors');
let servers = [];
const starting = new Set();
let stopped = false;

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void end(128 + (signal === 'SIGINT' ? 2 : 15)));

try {
  const bytes = writeModel(plainFile, parseSize(values.size));
  const volume = openVolume(root, { size: Math.ceil(bytes / 2 ** 21) * 2 ** 21 + 2 ** 26 });
  await volume.copyIn(plainFile, '/model.safetensors');
  volume.close();
  if (!isPythonHere) console.log('no python3 here: only the Node servers are started');
  console.log(
    `${mebibytes(bytes)} of safetensors in ${TENSORS} tensors, ${kinds.length * SERVERS_OF_A_KIND} servers (${kinds.join(', ')})\n`,
  );
  console.log('way    server  last tensor there after (median, slowest)  memory of the model, all servers');
  await round('plain', bytes);
  await round('udax', bytes);
  if (values.stay) {
    for (const { kind, port } of servers)
      console.log(`${kind}: http://127.0.0.1:${port}/tensor/${LAST_TENSOR}`);
    console.log('serving until Ctrl-C');
    await new Promise(() => {});
  }
  await end(0);
} catch (error) {
  if (!stopped) console.error(error);
  await end(1);
}

/** Starts the servers, asks each over HTTP for the last tensor, lets each touch every page, and prints what it took. */
async function round(way, bytes) {
  const started = kinds.flatMap((kind) => Array.from({ length: SERVERS_OF_A_KIND }, () => kind));
  // One after another: the times are those of a server that starts alone.
  for (const kind of started) servers.push(await startServer(kind, way));
  const answers = await Promise.all(servers.map(({ port }) => ask(port, `/tensor/${LAST_TENSOR}`)));
  const sums = await Promise.all(servers.map(({ port }) => ask(port, '/touch')));
  for (const all of [answers, sums]) {
    if (new Set(all.map((each) => JSON.stringify(each))).size !== 1)
      throw new Error(`the servers disagree: ${JSON.stringify(all)}`);
  }
  const memoryFile = join(root, 'regions', '0.mem');
  const memory = servers.map(({ child, anonymousBefore }) =>
    way === 'udax' ? mappedBytes(child.pid, memoryFile) : anonymousBytes(child.pid) - anonymousBefore,
  );
  for (const kind of kinds) {
    const times = servers
      .filter((each) => each.kind === kind)
      .map((each) => each.loadMs)
      .sort((a, b) => a - b);
    const [median, slowest] = [times[times.length >> 1], times.at(-1)].map((ms) =>
      `${ms.toFixed(1)} ms`.padStart(11),
    );
    console.log(`${way.padEnd(6)} ${kind.padEnd(6)} ${median} ${slowest}`);
  }
  const total = memory.reduce((sum, each) => sum + each, 0);
  console.log(
    `${way.padEnd(6)} all    ${''.padStart(43)}${mebibytes(total)} = ${(total / bytes).toFixed(2)} copies`,
  );
  if (way !== 'udax' || !values.stay) await stopServers();
}

/** A server loads, then says on its standard output where it listens. It ends when its standard input does. */
async function startServer(kind, way) {
  const where = way === 'udax' ? [root, '/model.safetensors'] : [plainFile];
  const child =
    kind === 'Node'
      ? spawn(process.execPath, [here('./server.mjs'), way, ...where], { stdio: ['pipe', 'pipe', 'inherit'] })
      : spawn('python3', [here('./server.py'), way, ...where], {
          stdio: ['pipe', 'pipe', 'inherit'],
          // Where the package is installed this is not needed.
          env: { ...process.env, PYTHONPATH: here('../../clients/python/src') },
        });
  const server = { kind, child, exited: once(child, 'exit') };
  // An end that comes before the server is ready must find it.
  starting.add(server);
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), server.exited.then(() => null)]);
  starting.delete(server);
  if (!first) throw new Error(`a ${kind} server did not start`);
  return { ...server, ...JSON.parse(first[0]) };
}

async function ask(port, path) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function stopServers() {
  const ending = servers;
  servers = [];
  for (const { child } of ending) child.stdin.end();
  const late = setTimeout(() => {
    for (const { child } of ending) child.kill('SIGKILL');
  }, GRACE_MS);
  await Promise.all(ending.map(({ exited }) => exited));
  clearTimeout(late);
}

async function end(code) {
  if (stopped) return;
  stopped = true;
  servers.push(...starting);
  await stopServers();
  rmSync(directory, { recursive: true, force: true });
  process.exit(code);
}

function mebibytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
