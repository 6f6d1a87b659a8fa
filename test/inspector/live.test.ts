/** The inspector follows what others do to a machine, and is not in their way. */
import { readdirSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { METRICS } from '../../src/cli/metrics/names.js';
import { mkfs } from '../../src/index.js';
import type {
  CounterSample,
  LiveMessage,
  MapView,
  PlaceView,
  ShownEvent,
  VolumeView,
} from '../../src/inspector/wire.js';
import { fill, MIB, makeScene, type Scene } from './support.js';

let scene: Scene;
beforeEach(async () => {
  scene = await makeScene();
});
afterEach(() => scene.close());

interface Stream {
  messages: { at: number; message: LiveMessage }[];
  events(): ShownEvent[];
  end(): void;
}

function follow({ inspector: { port, token } }: Scene): Promise<Stream> {
  const messages: Stream['messages'] = [];
  return new Promise((resolve, reject) => {
    const request = get(
      { host: '127.0.0.1', port, path: '/api/events', headers: { 'x-udax-token': token } },
      (response) => {
        let rest = '';
        response.setEncoding('utf8');
        response.on('error', () => {});
        response.on('data', (text: string) => {
          const lines = (rest + text).split('\n\n');
          rest = lines.pop()!;
          for (const line of lines)
            if (line.startsWith('data: '))
              messages.push({ at: performance.now(), message: JSON.parse(line.slice(6)) });
        });
        resolve({
          messages,
          events: () => messages.flatMap(({ message }) => (message.type === 'events' ? message.events : [])),
          end: () => request.destroy(),
        });
      },
    );
    request.on('error', reject);
  });
}

async function until(what: () => boolean, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!what()) {
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await pause(10);
  }
}

const has = (stream: Stream, layer: string, what: string, subject: string) =>
  stream.events().some((event) => event.layer === layer && event.what === what && event.subject === subject);

describe('events', () => {
  it('tell of files, modes, holders and poison that others cause', async () => {
    const stream = await follow(scene);
    const volume = scene.mount();
    await until(() => has(stream, 'holders', 'attach', 'dax0.0'));
    volume.create('/new', { size: 2 * MIB }).close();
    await until(() => has(stream, 'volume', 'create', '/new'));
    volume.close();
    await until(() => has(stream, 'holders', 'detach', 'dax0.0'));
    scene.machine.reconfigure('dax1.0', 'famfs');
    await until(() => has(stream, 'machine', 'mode', 'dax1.0'));
    stream.end();
  });

  it('tell of the diagnostics channels of the inspecting process', async () => {
    const stream = await follow(scene);
    const volume = scene.mount();
    volume.create('/own', { size: 2 * MIB }).close();
    const file = volume.open('/own');
    file.map();
    file.close();
    volume.close();
    for (const [what, subject] of [
      ['mount', 'dax0.0'],
      ['create', '/own'],
      ['map', '/own'],
      ['unmount', 'dax0.0'],
    ] as const)
      await until(() => has(stream, 'process', what, subject));
    stream.end();
  });

  it('tell which process maps which file, and when it ends', async () => {
    const stream = await follow(scene);
    const volume = scene.mount();
    volume.mkdir('/d');
    volume.create('/d/mapped', { size: 5 * MIB }).close();
    const { offset } = volume.getmap('/d/mapped').extents[0]!;
    const file = volume.open('/d/mapped', { writable: true });
    file.map({ writable: true });
    await until(() => has(stream, 'holders', 'map', '/d/mapped'));
    const at = (byte: number) => scene.get<PlaceView>(`devices/dax0.0/at?offset=${byte}`);
    expect((await at(offset + 4096)).mappings).toMatchObject([
      { pid: process.pid, offset, isWritable: true },
    ]);
    expect((await at(offset + 6 * MIB)).mappings).toEqual([]);
    const map = await scene.get<MapView>('devices/dax0.0/map?cells=64');
    expect(map.mapped).toEqual([0, 1, 2].map((unit) => offset / (2 * MIB) + unit));
    file.close();
    await until(() => has(stream, 'holders', 'unmap', '/d/mapped'));
    expect((await at(offset)).mappings).toEqual([]);
    volume.close();
    stream.end();
  });

  it('are the same for who comes later, in the same order', async () => {
    const volume = scene.mount();
    volume.mkdir('/a');
    volume.mkdir('/b');
    volume.close();
    const [one, two] = [await follow(scene), await follow(scene)];
    await until(() => has(one, 'volume', 'create', '/b') && has(two, 'volume', 'create', '/b'));
    const numbers = two.events().map(({ seq }) => seq);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(one.events().slice(0, 3)).toEqual(two.events().slice(0, 3));
    one.end();
    two.end();
  });

  it('come within moments at a thousand a second (the figure is printed, and is no test)', async () => {
    const stream = await follow(scene);
    const volume = scene.mount();
    const stored = new Map<string, number>();
    for (let i = 0; i < 1000; i++) {
      const path = `/d${i}`;
      stored.set(path, performance.now());
      volume.mkdir(path);
      if (i % 10 === 9) await pause(10);
    }
    await until(() => has(stream, 'volume', 'create', '/d999'));
    const delays = stream.messages.flatMap(({ at, message }) =>
      message.type !== 'events'
        ? []
        : message.events
            .filter(({ layer, subject }) => layer === 'volume' && stored.has(subject))
            .map(({ subject }) => at - stored.get(subject)!),
    );
    expect(delays.length).toBeGreaterThan(900);
    delays.sort((a, b) => a - b);
    const of = (share: number) => delays[Math.floor((delays.length - 1) * share)]!.toFixed(0);
    console.log(
      `live events: ${delays.length} told, median ${of(0.5)} ms, 99 % ${of(0.99)} ms, most ${of(1)} ms`,
    );
    volume.close();
    stream.end();
  });

  it('beyond what is told one by one are told by their number', async () => {
    const volume = scene.mount();
    for (let i = 0; i < 300; i++) volume.mkdir(`/m${i}`);
    const stream = await follow(scene);
    await until(() => has(stream, 'volume', 'create', '/m299'));
    expect(
      stream.events().find(({ what, subject }) => what === 'create' && subject === 'dax0.0')?.text,
    ).toContain('100 names');
    volume.close();
    stream.end();
  });
});

describe("looking is in nobody's way", () => {
  it('no holder, no lock: the device can be formatted, put into another mode and destroyed while a page looks', async () => {
    const stream = await follow(scene);
    let volume = scene.mount();
    fill(volume);
    const before = await scene.get<VolumeView>('volumes/dax0.0');
    volume.close();
    expect(scene.machine.holders()).toEqual([]);
    mkfs(scene.machine.device('dax0.0'), { force: true });
    await until(() => has(stream, 'volume', 'format', 'dax0.0'));
    const after = await scene.get<VolumeView>('volumes/dax0.0');
    expect(after.uuid).not.toBe(before.uuid);
    expect(after.space.files).toBe(0);

    volume = scene.mount();
    volume.mkdir('/again');
    await volume.rewrite({ remove: ['/again'] });
    volume.close();
    scene.machine.reconfigure('dax0.0', 'devdax');
    await until(() => has(stream, 'machine', 'mode', 'dax0.0'));
    expect((await scene.get<MapView>('devices/dax0.0/map')).problem).toContain('devdax');
    scene.machine.destroyRegion(0, { force: true });
    await until(() => has(stream, 'machine', 'remove', 'dax0.0'));
    expect((await scene.ask('/api/devices/dax0.0/map')).status).toBe(404);
    stream.end();
  });

  it('it makes no file in the state directory, whatever is asked', async () => {
    const volume = scene.mount();
    fill(volume);
    volume.close();
    const files = () => readdirSync(scene.root, { recursive: true, encoding: 'utf8' }).sort();
    const before = files();
    const stream = await follow(scene);
    for (const path of [
      'bus',
      'devices/dax0.0/map',
      'devices/dax0.0/at?offset=0',
      'devices/dax0.0/mode?to=devdax',
      'volumes/dax0.0',
      'volumes/dax0.0/tree',
      'volumes/dax0.0/log',
      'volumes/dax0.0/fsck',
      'volumes/dax0.0/arenas',
      'volumes/dax0.0/arena?path=/kv',
      'counters',
      'tours',
    ])
      await scene.get(path);
    await pause(500);
    expect(files()).toEqual(before);
    expect(before).toContain(join('holders'));
    stream.end();
  });

  it('a machine whose directory is gone is told, and does not end the server', async () => {
    const problems: string[] = [];
    const other = await makeScene({ onProblem: (message) => problems.push(message) });
    try {
      const stream = await follow(other);
      rmSync(other.root, { recursive: true });
      await until(() => problems.length > 0);
      expect(problems[0]).toContain('the state directory was removed or moved');
      expect((await other.ask('/api/bus')).status).toBe(409);
      expect((await other.ask('/')).status).toBe(403);
      stream.end();
    } finally {
      await other.close();
    }
  });
});

describe('counters', () => {
  it('are sampled each second, by the names of the metrics', async () => {
    const volume = scene.mount();
    volume.mkdir('/d');
    const stream = await follow(scene);
    await until(() => stream.messages.filter(({ message }) => message.type === 'sample').length >= 2);
    const samples = await scene.get<CounterSample[]>('counters');
    const last = samples.at(-1)!.values;
    const known = METRICS.map(([name]) => name);
    const foreign = Object.keys(last)
      .map((name) => name.split('{')[0]!)
      .filter((name) => !name.startsWith('process_') && !known.includes(name));
    expect(foreign).toEqual([]);
    expect(last['udax_volume_log_used{dax0.0}']).toBe(1);
    expect(last['udax_device_holders{dax0.0}']).toBe(1);
    expect(last['udax_volume_used_bytes{dax0.0}']).toBe(volume.statfs().used);
    volume.close();
    stream.end();
  });

  it('cost little while a page looks and nothing happens (the figure is printed, and is no test)', async () => {
    const stream = await follow(scene);
    await pause(300);
    const [cpu, started] = [process.cpuUsage(), performance.now()];
    await pause(3000);
    const { user, system } = process.cpuUsage(cpu);
    const share = (user + system) / 1000 / (performance.now() - started);
    console.log(`idle: ${(share * 100).toFixed(1)} % of a core with one page`);
    expect(stream.messages.length).toBeGreaterThan(2);
    stream.end();
  });
});

describe('close', () => {
  it('ends all streams, and frees the port', async () => {
    const stream = await follow(scene);
    await scene.inspector.close();
    await scene.inspector.close();
    await expect(scene.ask('/api/bus')).rejects.toThrow('ECONNREFUSED');
    expect(stream.messages[0]!.message.type).toBe('hello');
  });
});
