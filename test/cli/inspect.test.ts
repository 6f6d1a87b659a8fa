/** `udax inspect` as a user runs it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BusView, CounterSample, MapView, ModeCheck, VolumeView } from '../../src/inspector/wire.js';
import { because, noMounts } from '../mounts/support.js';
import { binary, startUdax, temporaryDirectory, testEnvironment, udax } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
let root: string;
beforeEach(() => {
  directory = temporaryDirectory();
  root = join(directory.path, 'state');
});
afterEach(() => directory.remove());

/** Waits for the URL that it prints. */
async function started(child: ReturnType<typeof startUdax>) {
  let out = '';
  for await (const chunk of child.stdout) {
    out += String(chunk);
    if (out.startsWith('{') ? out.endsWith('}\n') : out.endsWith('\n')) break;
  }
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  return { child, out, url: new URL(/http:\/\/[^\s"]+/.exec(out)![0]), ended };
}

function busAt(url: URL): Promise<Response> {
  return fetch(new URL('/api/bus', url), {
    headers: { 'x-udax-token': url.searchParams.get('token') ?? '' },
  });
}

describe('udax inspect', () => {
  it('prints one line, the URL; serves the page and the machine there, until Ctrl-C', async () => {
    expect(udax(root, 'create-region', '-s', '32M', '--sparse').status).toBe(0);
    const { child, out, url, ended } = await started(startUdax(root, 'inspect'));
    try {
      expect(out).toBe(`${url.href}\n`);
      expect(await (await fetch(url)).text()).toContain('<title>udax inspector</title>');
      const bus = (await (await busAt(url)).json()) as BusView;
      expect(bus).toMatchObject({ root, devices: [{ name: 'dax0.0' }], readOnly: null });
      expect(bus.pid).toBe(child.pid);
    } finally {
      child.kill('SIGINT');
    }
    expect(await ended).toEqual([0, null]);
    await expect(busAt(url)).rejects.toThrow();
  });

  it('prints a document with --json, listens at --port, and changes nothing with --read-only', async () => {
    expect(udax(root, 'create-region', '-s', '32M', '--sparse').status).toBe(0);
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const busy = udax(root, 'inspect', '--port', String(port));
    expect([busy.status, busy.stderr]).toEqual([1, expect.stringContaining('EADDRINUSE')]);
    taken.close();
    await once(taken, 'close');
    const { child, out, url, ended } = await started(
      startUdax(root, '--json', 'inspect', '--port', String(port), '--read-only'),
    );
    try {
      expect(JSON.parse(out)).toEqual({ url: url.href, port, pid: child.pid, root });
      expect(((await (await busAt(url)).json()) as BusView).readOnly).toContain('to look only');
    } finally {
      child.kill('SIGTERM');
    }
    expect(await ended).toEqual([0, null]);
  });

  it("is in nobody's way: other processes format, rewrite, change modes and destroy while a page is open", async () => {
    for (const words of [
      ['create-region', '-s', '256M', '--sparse'],
      ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
      ['mkfs', 'dax0.0'],
      ['creat', '-s', '2M', 'dax0.0:/f'],
    ])
      expect(udax(root, ...words)).toMatchObject({ status: 0 });
    const { child, url, ended } = await started(startUdax(root, 'inspect'));
    try {
      const headers = { 'x-udax-token': url.searchParams.get('token') ?? '' };
      const stream = await fetch(new URL('/api/events', url), { headers });
      const ask = async <T>(path: string) =>
        (await (await fetch(new URL(`/api/${path}`, url), { headers })).json()) as T;
      expect((await ask<VolumeView>('volumes/dax0.0')).space.files).toBe(1);
      expect(JSON.parse(udax(root, '--json', 'holders').stdout)).toEqual([]);
      for (const words of [
        ['rm', 'dax0.0:/f'],
        ['mkfs', '-f', 'dax0.0'],
        ['reconfigure-device', '-m', 'devdax', 'dax0.0'],
        ['reconfigure-device', '-m', 'system-ram', 'dax0.0'],
        ['reconfigure-device', '-f', '-m', 'devdax', 'dax0.0'],
        ['destroy-region', '0', '-f'],
      ]) {
        const { status, stderr } = udax(root, ...words);
        expect([words, status, stderr]).toEqual([words, 0, expect.any(String)]);
        await ask('devices/dax0.0/map');
      }
      expect((await ask<BusView>('bus')).devices).toEqual([]);
      await stream.body?.cancel();
    } finally {
      child.kill('SIGINT');
    }
    expect(await ended).toEqual([0, null]);
  });

  it.skipIf(noMounts !== '')(`counts what a mount does that serves its metrics${because}`, async () => {
    for (const words of [
      ['create-region', '-s', '64M', '--sparse'],
      ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
      ['mkfs', 'dax0.0'],
      ['creat', '-s', '2M', 'dax0.0:/f'],
    ])
      expect(udax(root, ...words)).toMatchObject({ status: 0 });
    const at = join(directory.path, 'mnt');
    mkdirSync(at);
    const socket = `unix:${join(directory.path, 'metrics.sock')}`;
    expect(udax(root, 'mount', '--metrics', socket, 'dax0.0', at)).toMatchObject({ status: 0 });
    const { child, url, ended } = await started(startUdax(root, 'inspect'));
    try {
      const headers = { 'x-udax-token': url.searchParams.get('token') ?? '' };
      const stream = await fetch(new URL('/api/events', url), { headers });
      expect(readFileSync(join(at, 'f')).length).toBe(2 * 2 ** 20);
      const read = async (): Promise<number | undefined> => {
        const samples = await (await fetch(new URL('/api/counters', url), { headers })).json();
        return (samples as CounterSample[]).at(-1)?.values[`udax_mount_read_bytes{${at}}`];
      };
      await expect.poll(read, { timeout: 20_000 }).toBe(2 * 2 ** 20);
      const { mounts } = (await (await busAt(url)).json()) as BusView;
      // Mounts of other tests are on this host too.
      expect(mounts.find(({ mountpoint }) => mountpoint === at)).toMatchObject({
        what: 'dax0.0',
        state: 'served',
      });
      await stream.body?.cancel();
    } finally {
      child.kill('SIGINT');
      udax(root, 'umount', '-f', at);
    }
    expect(await ended).toEqual([0, null]);
  });

  it('shows the bus of the kernel, whatever is on it here', async () => {
    const { child, url, ended } = await started(startUdax(root, '--kernel', 'inspect'));
    try {
      const bus = (await (await busAt(url)).json()) as BusView;
      const status = JSON.parse(udax(root, '--kernel', '--json', 'status').stdout);
      expect(bus.devices.map(({ name }) => name)).toEqual(
        status.devices.map(({ name }: { name: string }) => name),
      );
      expect([bus.root, bus.generation]).toEqual(['kernel:', null]);
    } finally {
      child.kill('SIGINT');
    }
    expect(await ended).toEqual([0, null]);
  });

  it.skipIf(process.getuid?.() !== 0)(
    `of a user who may only read the state directory shows the bus, and says why not the rest${process.getuid?.() === 0 ? '' : ' (skipped: needs root)'}`,
    async () => {
      for (const words of [
        ['create-region', '-s', '64M', '--sparse'],
        ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
        ['mkfs', 'dax0.0'],
      ])
        expect(udax(root, ...words)).toMatchObject({ status: 0 });
      for (const place of [directory.path, root, join(root, 'holders')]) chmodSync(place, 0o755);
      chmodSync(join(root, 'machine.json'), 0o644);
      const nobody = 65534;
      const child = spawn(process.execPath, [binary, '--root', root, 'inspect'], {
        env: { ...testEnvironment(), HOME: directory.path },
        uid: nobody,
        gid: nobody,
      });
      const { url, ended } = await started(child);
      try {
        const headers = { 'x-udax-token': url.searchParams.get('token') ?? '' };
        const ask = async <T>(path: string) =>
          (await (await fetch(new URL(`/api/${path}`, url), { headers })).json()) as T;
        expect((await ask<BusView>('bus')).devices).toMatchObject([{ name: 'dax0.0', mode: 'famfs' }]);
        expect((await ask<MapView>('devices/dax0.0/map')).problem).toContain('permission denied');
        expect((await ask<ModeCheck>('devices/dax0.0/mode?to=devdax')).refusal).toMatchObject({
          code: 'EACCES',
        });
      } finally {
        child.kill('SIGINT');
      }
      expect(await ended).toEqual([0, null]);
    },
  );

  it('refuses a machine that is not there, and a port that is none', () => {
    expect(udax(root, 'inspect')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('there is no machine'),
    });
    expect(udax(root, '--json', 'inspect', '--port', '70000')).toMatchObject({ status: 2, stdout: '' });
  });
});
