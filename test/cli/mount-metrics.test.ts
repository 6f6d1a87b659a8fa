/** `udax mount --metrics` and `--log-format json`: what a daemon tells of itself. */
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MountRecords } from '../../src/mounts/serving.js';
import { because, noMounts, Place, sh, until } from '../mounts/support.js';
import { askMetrics, parse, type Samples } from './support/openmetrics.js';

let place: Place;
beforeEach(() => {
  place = new Place();
  place.makeVolume('64MiB');
});
afterEach(() => place.close());

const addressOf = (at: string) => new MountRecords(place.root).at(at)!.metrics!;

/** The metrics of a mount, looked at anew: answers of the last second are not taken again. */
async function metricsOf(at: string): Promise<Samples> {
  await new Promise((resolve) => setTimeout(resolve, 1050));
  const { status, text } = await askMetrics(addressOf(at));
  expect(status).toBe(200);
  return parse(text);
}

describe.skipIf(noMounts !== '')(`udax mount --metrics${because}`, () => {
  it('tells requests by kind with their latencies, bytes and open files, beside what udax metrics tells', async () => {
    const at = place.mount('dax0.0', '--metrics', '127.0.0.1:0');
    writeFileSync(join(at, 'a'), Buffer.alloc(300_000, 1));
    expect(sh(`cat '${at}/a' | wc -c; mkdir '${at}/d'; : > '${at}/d/x'; rmdir '${at}/d'`).stdout).toBe(
      '300000\n',
    );
    const holder = place.start('sh', ['-c', `exec 5< '${at}/a'; echo open; exec sleep 60`]);
    await once(holder.stdout!, 'data');
    const found = await metricsOf(at);
    const of = (name: string, operation?: string) =>
      found.get(
        `udax_mount_${name}{mountpoint="${at}"${operation === undefined ? '' : `,operation="${operation}"`}}`,
      );
    expect(of('read_bytes_total')).toBeGreaterThanOrEqual(300_000);
    expect(of('written_bytes_total')).toBe(300_000);
    expect(of('open_files')).toBe(1);
    expect(of('unpublished_files')).toBe(0);
    expect(of('replay_lag_entries')).toBe(0);
    expect(of('look_age_seconds')).toBeLessThan(5);
    expect(of('operation_seconds_count', 'write')).toBeGreaterThanOrEqual(1);
    expect(of('operation_errors_total', 'rmdir')).toBe(1); // it is not empty
    expect(of('operation_errors_total', 'read')).toBe(0);
    expect(found.get('udax_volume_log_used{device="dax0.0"}')).toBeGreaterThanOrEqual(2);
    expect(found.get(`udax_mount_up{mountpoint="${at}",what="dax0.0",state="served"}`)).toBe(1);
    holder.kill('SIGKILL');
  });

  it('counts every request in exactly one bucket, and its time in the sum', async () => {
    const at = place.mount('dax0.0', '--metrics', '0');
    for (let i = 0; i < 50; i++) sh(`stat '${at}/none${i}'`);
    const found = await metricsOf(at);
    const buckets = [...found].filter(([key]) =>
      key.startsWith(`udax_mount_operation_seconds_bucket{mountpoint="${at}",operation="lookup"`),
    );
    const values = buckets.map(([, value]) => value);
    expect(values).toEqual([...values].sort((one, other) => one - other));
    const labels = `{mountpoint="${at}",operation="lookup"}`;
    const count = found.get(`udax_mount_operation_seconds_count${labels}`)!;
    expect(count).toBeGreaterThanOrEqual(50);
    expect(values.at(-1)).toBe(count);
    expect(buckets.at(-1)![0]).toContain('le="+Inf"');
    const sum = found.get(`udax_mount_operation_seconds_sum${labels}`)!;
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(count * 0.1);
  });

  it('is served at a socket that goes with the mount, and told by mount and mounts', async () => {
    const socket = join(place.directory, 'metrics.sock');
    const at = place.mountpoint();
    const made = JSON.parse(
      place.udax('--json', 'mount', '--metrics', `unix:${socket}`, 'dax0.0', at).stdout,
    );
    expect(made.metrics).toBe(`unix:${socket}`);
    const listed = JSON.parse(place.udax('--json', 'mounts').stdout) as {
      mountpoint: string;
      metrics?: string;
    }[];
    expect(listed.find(({ mountpoint }) => mountpoint === at)!.metrics).toBe(`unix:${socket}`);
    expect(parse((await askMetrics(made.metrics)).text).get('udax_volume_up{device="dax0.0"}')).toBe(1);
    expect(place.udax('umount', at).status).toBe(0);
    expect(existsSync(socket)).toBe(false);
  });

  it('mounts nothing where the place is taken, or is none', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const at = place.mountpoint();
    const refused = place.udax('mount', '--metrics', `127.0.0.1:${port}`, 'dax0.0', at);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('(EADDRINUSE)')]);
    taken.close();
    const wrong = place.udax('mount', '--metrics', 'everywhere', 'dax0.0', at);
    expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining('HOST:PORT')]);
    expect(place.udax('mounts').stdout).not.toContain(at);
    expect(place.udax('holders').stdout).not.toContain('mount');
  });
});

describe.skipIf(noMounts !== '')(`--log-format json${because}`, () => {
  const lines = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  const logOf = (at: string) => new MountRecords(place.root).logPath(at);

  it('makes every line of the log of a mount an object, the one about a killed daemon too', async () => {
    const at = place.mount('dax0.0', '--log-format', 'json');
    const pid = place.daemonPid(at);
    process.kill(pid, 'SIGKILL');
    await until('the end is logged', () => readFileSync(logOf(at), 'utf8').includes('SIGKILL'));
    const [ready, end] = lines(readFileSync(logOf(at), 'utf8'));
    expect(ready).toMatchObject({
      level: 'info',
      pid,
      message: expect.stringContaining(`dax0.0 is at ${at}`),
    });
    expect(Math.abs(Date.parse(ready.time) - Date.now())).toBeLessThan(60_000);
    expect(end).toMatchObject({ level: 'error', message: expect.stringContaining('ended by SIGKILL') });
    expect(place.udax('umount', at).stdout).toContain('was ended by SIGKILL');
  });

  it('tells an error of the command as a line with its code and hint', () => {
    const run = place.udax('mount', '-f', '--log-format', 'json', 'dax9.0', place.mountpoint());
    expect(run.status).toBe(1);
    expect(lines(run.stderr)).toEqual([
      expect.objectContaining({ level: 'error', code: 'ENODEV', path: 'dax9.0' }),
    ]);
  });

  it('is text or json, and nothing else', () => {
    const run = place.udax('mount', '--log-format', 'xml', 'dax0.0', place.mountpoint());
    expect([run.status, run.stderr]).toEqual([2, expect.stringContaining('text or json, not xml')]);
  });
});

describe.skipIf(noMounts !== '')(`a mount without --metrics${because}`, () => {
  it('names no place in its record', () => {
    expect(new MountRecords(place.root).at(place.mount())).not.toHaveProperty('metrics');
  });
});
