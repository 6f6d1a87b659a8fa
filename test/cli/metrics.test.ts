/** `udax metrics`: OpenMetrics text, by a strict reader of the format; the same served; docs and dashboard name what there is. */
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS } from '../../src/cli/metrics/names.js';
import { askMetrics, parse } from './support/openmetrics.js';
import { startUdax, temporaryDirectory, udax } from './support/udax.js';

const house = resolve(import.meta.dirname, '../..');
const MIB = 2 ** 20;
let directory: ReturnType<typeof temporaryDirectory>;
let root: string;

beforeAll(() => {
  directory = temporaryDirectory();
  root = join(directory.path, 'state');
  const file = join(directory.path, 'file');
  writeFileSync(file, Buffer.alloc(3 * MIB, 1));
  for (const words of [
    ['create-region', '-s', '64MiB', '--sparse'],
    ['create-region', '-s', '16MiB', '--sparse'],
    ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
    ['reconfigure-device', '-m', 'famfs', 'dax1.0'],
    ['mkfs', 'dax0.0'],
    ['cp', file, 'dax0.0:/file'],
    ['arena', 'create', '-s', '4MiB', 'dax0.0:/kv'],
    ['arena', 'put', 'dax0.0:/kv', 'a "key"\\', file, '--if-absent'],
  ])
    expect(udax(root, ...words)).toMatchObject({ status: 0 });
});
afterAll(() => directory.remove());

describe('udax metrics', () => {
  it('tells machine, volumes and an arena, and what cannot be mounted', () => {
    const { status, stdout, stderr } = udax(root, 'metrics', '--arena', 'dax0.0:/kv');
    expect(status).toBe(0);
    expect(stderr).toMatch(/^udax: no metrics of the volume of dax1\.0: .*\n$/);
    const found = parse(stdout);
    const df = JSON.parse(udax(root, '--json', 'df', 'dax0.0').stdout);
    const of = (name: string) => found.get(`udax_volume_${name}{device="dax0.0"}`);
    expect(of('up')).toBe(1);
    expect(of('master')).toBe(1);
    expect(of('free_bytes')).toBe(df.free);
    expect(of('used_bytes')).toBe(df.used);
    expect(of('file_bytes')).toBe(7 * MIB);
    expect(of('rounding_bytes')).toBe(MIB);
    expect(of('log_used')).toBe(2);
    expect(of('problems')).toBe(0);
    expect(found.get('udax_volume_up{device="dax1.0"}')).toBe(0);
    expect(found.get('udax_region_size_bytes{region="0"}')).toBe(64 * MIB);
    expect(found.get('udax_device_size_bytes{device="dax1.0",mode="famfs",state="enabled"}')).toBe(16 * MIB);
    expect(found.get('udax_arena_objects{arena="dax0.0:/kv"}')).toBe(1);
    expect(found.get('udax_arena_puts_total{arena="dax0.0:/kv"}')).toBe(1);
    expect(found.get('udax_arena_used_bytes{arena="dax0.0:/kv"}')).toBe(3 * MIB);
  });

  it('of no machine are few, and no error', () => {
    const { status, stdout, stderr } = udax(join(directory.path, 'none'), 'metrics');
    expect([status, stderr]).toEqual([0, '']);
    expect([...parse(stdout).keys()].filter((key) => !key.startsWith('udax_mount_up'))).toHaveLength(1);
  });

  it.each(['127.0.0.1:0', 'unix:SOCKET'])('are served at %s, to who asks rightly', async (where) => {
    const socket = join(directory.path, 'metrics.sock');
    const served = startUdax(root, 'metrics', 'dax0.0', '--listen', where.replace('SOCKET', socket));
    const [line] = await once(served.stderr!, 'data');
    const address = /metrics at (\S+) /.exec(String(line))![1]!;
    const ask = (path: string, method = 'GET') => askMetrics(address, path, method);
    const [one, other] = await Promise.all([ask('/metrics'), ask('/metrics?x=1')]);
    expect(one).toMatchObject({ status: 200, type: expect.stringContaining('application/openmetrics-text') });
    expect(parse(one.text).get('udax_volume_up{device="dax0.0"}')).toBe(1);
    expect(other.text).toBe(one.text);
    expect((await ask('/')).status).toBe(404);
    expect((await ask('/metrics', 'POST')).status).toBe(405);
    // Incident: no URL, so the process ended.
    expect((await ask('//')).status).toBe(404);
    expect(await ask('/metrics', 'HEAD')).toMatchObject({ status: 200, text: '' });
    served.kill('SIGINT');
    const [code] = await once(served, 'exit');
    expect(code).toBe(0);
    expect(existsSync(socket)).toBe(false);
  });

  // Incident: what served at a socket lost it to the next one, whoever that was.
  it('leave a socket that somebody serves, and take one whose process was killed', async () => {
    const socket = join(directory.path, 'taken.sock');
    const words = ['metrics', 'dax0.0', '--listen', `unix:${socket}`];
    const first = startUdax(root, ...words);
    await once(first.stderr!, 'data');
    expect(udax(root, ...words)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('(EADDRINUSE)'),
    });
    expect(existsSync(socket)).toBe(true);
    first.kill('SIGKILL');
    await once(first, 'exit');
    const next = startUdax(root, ...words);
    expect(String(await once(next.stderr!, 'data'))).toContain('metrics at');
    next.kill('SIGINT');
    expect(await once(next, 'exit')).toEqual([0, null]);
  });

  it.each(['nonsense', 'unix:', '127.0.0.1:70000', ''])('is EINVAL for "%s"', (where) => {
    const { status, stderr } = udax(root, 'metrics', '--listen', where);
    expect(status).not.toBe(0);
    expect(stderr).toContain('HOST:PORT');
  });

  it('are those of docs/metrics.md, and the dashboard asks for no others', () => {
    const rows = [
      ...readFileSync(join(house, 'docs/metrics.md'), 'utf8').matchAll(
        /^\| `(\w+)` \| (\w+) \| [^|]* \| (.*) \|$/gm,
      ),
    ];
    expect(rows.map(([, name, type, help]) => [name!.replace(/_total$/, ''), type, help])).toEqual(METRICS);
    const names = new Set(rows.map(([, name]) => name));
    const asked = readFileSync(join(house, 'examples/grafana/udax.json'), 'utf8').match(/udax_\w+/g)!;
    const known = (name: string) => names.has(name) || names.has(name.replace(/_(bucket|count|sum)$/, ''));
    expect(asked.filter((name) => !known(name))).toEqual([]);
  });
});
