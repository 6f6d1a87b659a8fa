/** Requests to the inspector, whole and broken, as bytes on a connection: with and without its token. */
import { once } from 'node:events';
import { connect } from 'node:net';
import path from 'node:path';
import { createArena } from '../../../src/arena/index.js';
import { type Machine, mkfs, mountFamfs, openMachine } from '../../../src/index.js';
import { type Inspector, startInspector } from '../../../src/inspector/index.js';
import { nastyText, Random } from '../random.js';
import { assert, type Target } from '../target.js';

/** What a request may be answered with. 500 is none: it would be an error that nobody thought of. */
const PROPER = [200, 400, 403, 404, 405, 409, 414, 431];
const PATIENCE_MS = 20_000;
const PATHS = [
  '/',
  '/index.html',
  '/assets/x.js',
  '/api/bus',
  '/api/counters',
  '/api/tours',
  '/api/tours/v9-match',
  '/api/tours/v9-match/events?events=insmod%20fsdev_dax',
  '/api/devices/dax0.0/map?from=0&to=67108864&cells=64',
  '/api/devices/dax0.0/at?offset=4096',
  '/api/devices/dax0.0/mode?to=devdax',
  '/api/volumes/dax0.0',
  '/api/volumes/dax0.0/tree?path=%2Fd',
  '/api/volumes/dax0.0/file?path=%2Fd%2Ffile',
  '/api/volumes/dax0.0/search?q=fi',
  '/api/volumes/dax0.0/log?before=10&count=5',
  '/api/volumes/dax0.0/fsck',
  '/api/volumes/dax0.0/arenas',
  '/api/volumes/dax0.0/arena?path=%2Farena&prefix=a',
] as const;
const METHODS = [
  'GET',
  'GET',
  'GET',
  'GET',
  'GET',
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'OPTIONS',
  'get',
  'G T',
] as const;
const BODIES = ['', '{}', '{"mode":"nonsense"}', '{"mode":7,"force":"x"}', '[1]', '{"mode":', '\0'] as const;

interface Request {
  text: string;
  /** Whether a part of the machine may be in its answer. */
  isAllowed: boolean;
}

class InspectorTarget implements Target {
  readonly name = 'inspector';
  readonly share = 20;
  #machine: Machine | undefined;
  #inspector: Inspector | undefined;

  open(directory: string): void {
    const machine = openMachine(path.join(directory, 'machine'), { create: true });
    const [name] = machine.createRegion({ size: '64MiB' }).devices;
    machine.reconfigure(name!, 'famfs');
    mkfs(machine.device(name!));
    const volume = mountFamfs(machine.device(name!));
    volume.mkdir('/d');
    volume.create('/d/file', { size: 100 }).close();
    createArena(volume, '/arena', { size: 2 ** 20, slots: 16 });
    volume.close();
    this.#machine = machine;
  }

  async run(recipe: readonly number[]): Promise<void> {
    this.#inspector ??= await startInspector(this.#machine!);
    const { port, token } = this.#inspector;
    const request = requestFrom(new Random(recipe[0] ?? 0), port, token);
    for (const seed of recipe.slice(1)) {
      const random = new Random(seed);
      request.text = random.once(4) ? nastyText(random, request.text) : withNastyValue(random, request.text);
      request.isAllowed ||= request.text.includes(token);
    }
    const answer = await ask(port, request.text);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? Number.NaN);
    // A connection that ended without an answer was broken before it was a request.
    if (answer !== '') assert(PROPER.includes(status), `it is answered with ${answer.slice(0, 200)}`);
    const tells = status === 200 && /application\/json/.test(answer);
    assert(request.isAllowed || !tells, 'without a token it tells something of the machine');
    assert(this.#machine!.deviceInfo('dax0.0').mode === 'famfs', 'a request changed the mode');
  }

  close(): void {
    void this.#inspector?.close();
    this.#machine?.close();
  }
}

function requestFrom(random: Random, port: number, token: string): Request {
  const method = random.pick(METHODS);
  const isKnown = !random.once(4);
  const host = random.once(16) ? random.pick(['example.com', '127.0.0.1', '']) : `127.0.0.1:${port}`;
  const origin = random.pick([
    undefined,
    undefined,
    `http://127.0.0.1:${port}`,
    'http://example.com',
    'null',
  ]);
  const body = method === 'POST' ? random.pick(BODIES) : '';
  const given = isKnown ? token : random.pick(['', 'x', token.slice(1)]);
  const target = random.pick(PATHS);
  const lines = [
    `${method} ${random.once(10) ? `/${target}` : target} HTTP/1.1`,
    `host: ${host}`,
    'connection: close',
    ...(origin === undefined ? [] : [`origin: ${origin}`]),
    ...(given === '' ? [] : [`x-udax-token: ${given}`]),
    ...(body === '' ? [] : ['content-type: application/json', `content-length: ${body.length}`]),
    ...(random.once(20) ? [`x-long: ${'y'.repeat(random.below(40_000))}`] : []),
  ];
  return { text: `${lines.join('\r\n')}\r\n\r\n${body}`, isAllowed: isKnown };
}

/** Another value for something that the URL says: a name, a path, a number. The request stays one. */
function withNastyValue(random: Random, text: string): string {
  return text.replace(/(\/api\/\w+\/|=)([^ &/?]*)/g, (whole, before: string, value: string) =>
    random.once(2)
      ? whole
      : `${before}${encodeURIComponent(Buffer.from(nastyText(random, decoded(value))).toString())}`,
  );
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** Everything that comes back until the server, or patience, ends. A request may be unfinished: this side ends first then. */
async function ask(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  let answer = '';
  socket.setEncoding('latin1');
  socket.on('data', (data) => {
    answer += data;
  });
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  const timer = setTimeout(() => socket.destroy(new Error('too slow')), PATIENCE_MS);
  socket.end(Buffer.from(text, 'latin1'));
  await closed;
  clearTimeout(timer);
  return answer;
}

export const inspectorTarget: Target = new InspectorTarget();
