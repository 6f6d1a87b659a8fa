import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openMachine } from '../../../src/machine/index.js';
import { Child, codeOf, errorOf, MiB, temporaryDirectory, temporaryMachine } from '../support.js';

describe('holders', () => {
  it('names pid, start time, command, device and purpose of who has a device open', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    const child = new Child('hold', [machine.root, 'dax0.0', 'mount']);
    await child.answer();
    const [holder] = machine.holders('dax0.0');
    expect(holder).toMatchObject({ pid: child.pid, device: 'dax0.0', purpose: 'mount' });
    expect(holder!.command).toContain('child.mjs');
    const startTime = Number(
      fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19],
    );
    expect(holder!.startTime).toBe(startTime);
    expect(machine.holders('dax0.1')).toEqual([]);
  });

  it('of another process refuse every change of its device, naming the pid, and leave all as it was', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    const child = new Child('hold', [machine.root, 'dax0.0']);
    await child.answer();
    const before = [machine.devices(), machine.status().generation];
    for (const act of [
      () => machine.reconfigure('dax0.0', 'devdax', { force: true }),
      () => machine.disable('dax0.0', { force: true }),
      () => machine.destroyDevice('dax0.0', { force: true }),
      () => machine.destroyRegion(0, { force: true }),
      () => machine.change((bus) => bus.unbind('fsdev_dax', 'dax0.0')),
      () => machine.change((bus) => bus.rmmod('fsdev_dax')),
      () => machine.change((bus) => bus.removeRegion(0)),
    ]) {
      const error = errorOf(act);
      expect(error.code).toBe('EBUSY');
      expect(error.message).toContain(`pid ${child.pid}`);
    }
    expect([machine.devices(), machine.status().generation]).toEqual(before);
  });

  it('do not stand in the way of changes elsewhere', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    await new Child('hold', [machine.root, 'dax0.0']).answer();
    machine.createRegion({ size: '2MiB' });
    expect(machine.reconfigure('dax1.0', 'famfs').mode).toBe('famfs');
  });

  it('are gone when released', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    const child = new Child('hold', [machine.root, 'dax0.0']);
    await child.answer();
    child.proceed();
    expect(await child.answer()).toEqual({ released: true });
    expect(machine.holders()).toEqual([]);
    expect(machine.disable('dax0.0').state).toBe('disabled');
  });

  it('are gone when killed with kill -9, and their files with them', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const child = new Child('map', [machine.root, 'dax0.0']);
    await child.answer();
    expect(codeOf(() => machine.disable('dax0.0', { force: true }))).toBe('EBUSY');
    await child.killHard();
    expect(machine.disable('dax0.0').state).toBe('disabled');
    expect(fs.readdirSync(path.join(machine.root, 'holders'))).toEqual([]);
  });

  it('that want a device alone exclude the others, and the others them', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    const child = new Child('hold', [machine.root, 'dax0.0', 'mkfs']);
    await child.answer();
    const device = machine.device('dax0.0');
    const error = errorOf(() => device.hold('mount'));
    expect(error.code).toBe('EBUSY');
    expect(error.message).toContain(`pid ${child.pid}`);
    await child.killHard();
    const mount = device.hold('mount');
    expect(codeOf(() => device.hold('mkfs'))).toBe('EBUSY');
    mount.release();
    mount.release();
    device.hold('mkfs').release();
  });

  it('count as others in a second machine object of the same process, whose pages are out of reach too', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const second = temporaryMachine(machine.root);
    const raw = second.openDax('dax0.0');
    const error = errorOf(() => machine.disable('dax0.0', { force: true }));
    expect(error.code).toBe('EBUSY');
    expect(error.message).toContain(`pid ${process.pid}`);
    raw.close();
    expect(machine.disable('dax0.0').state).toBe('disabled');
  });

  it('need the device in the right mode: ENXIO', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const device = machine.device('dax0.0');
    expect(codeOf(() => device.hold('mount'))).toBe('ENXIO');
    expect(codeOf(() => device.dax)).toBe('ENXIO');
    machine.reconfigure('dax0.0', 'famfs');
    expect(device.dax.alive).toBe(true);
    expect(codeOf(() => machine.openDax('dax0.0'))).toBe('ENXIO');
    machine.destroyRegion(0);
    expect(codeOf(() => device.dax)).toBe('ENODEV');
  });
});

describe('several processes', () => {
  it('see each other change without reopening', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const child = new Child('watch', [machine.root]);
    expect(await child.answer()).toMatchObject({ devices: [{ name: 'dax0.0', mode: 'devdax' }] });
    machine.reconfigure('dax0.0', 'famfs');
    machine.createRegion({ size: '2MiB' });
    child.proceed();
    expect(await child.answer()).toMatchObject({
      devices: [
        { name: 'dax0.0', mode: 'famfs' },
        { name: 'dax1.0', mode: 'devdax' },
      ],
    });
    machine.destroyRegion(0);
    child.proceed();
    expect(await child.answer()).toMatchObject({ devices: [{ name: 'dax1.0' }] });
  });

  it('tell a region from an earlier one of the same id and place', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const other = temporaryMachine(machine.root);
    const device = other.bus.device('dax0.0')!;
    machine.destroyRegion(0);
    machine.createRegion({ size: '4MiB' });
    expect(other.deviceInfo('dax0.0').size).toBe(4 * MiB);
    expect(device.present).toBe(false);
    expect(other.bus.device('dax0.0')).not.toBe(device);
  });

  it('keep what did not change: open handles live through the changes of others', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const raw = machine.openDax('dax0.0');
    const view = raw.mmap();
    const device = machine.bus.device('dax0.0');
    const answer = await new Child('call', [machine.root, 'createRegion', '{"size":"2M"}']).answer();
    expect(answer.ok).toBe(true);
    expect(machine.devices()).toHaveLength(2);
    expect(machine.bus.device('dax0.0')).toBe(device);
    expect(view.length).toBe(2 * MiB);
    expect(raw.mmap().length).toBe(2 * MiB);
  });

  it('share memory: a byte stored here is there', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const view = machine.openDax('dax0.0').mmap();
    const child = new Child('map', [machine.root, 'dax0.0']);
    await child.answer();
    expect(view[0]).toBe(0xab);
  });

  it('change at once without losing a change', async () => {
    const machine = temporaryMachine();
    const children = [0, 1].map(() => new Child('regions', [machine.root, '12']));
    for (const child of children) await child.answer();
    for (const child of children) child.proceed();
    for (let i = 0; i < 6; i++) machine.createRegion({ size: '2MiB' });
    for (const child of children) expect(await child.answer()).toEqual({ done: true });
    const regions = machine.regions();
    expect(regions.map((region) => region.id)).toEqual(Array.from({ length: 30 }, (_, id) => id));
    expect(new Set(regions.map((region) => region.hpa)).size).toBe(30);
    // The first document is generation 1; every change adds exactly one.
    expect(machine.status().generation).toBe(31);
  });

  it('hear of poison at their next call', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '4MiB' });
    const child = new Child('watch', [machine.root]);
    expect(await child.answer()).toMatchObject({ poison: [] });
    machine.memoryFailure({ device: 'dax0.0', offset: MiB + 5, length: 4096 });
    const poison = [{ device: 'dax0.0', offset: MiB, length: 8192 }];
    expect(machine.poisonList()).toEqual(poison);
    child.proceed();
    expect(await child.answer()).toMatchObject({ poison });
    machine.clearPoison();
    child.proceed();
    expect(await child.answer()).toMatchObject({ poison: [] });
  });

  it('lose a mapping over poison that another process reports, at their next call', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '4MiB' });
    const raw = machine.openDax('dax0.0');
    const [hit, spared] = [raw.mmap({ length: 2 * MiB }), raw.mmap({ offset: 2 * MiB })];
    const answer = await new Child('call', [
      machine.root,
      'memoryFailure',
      '{"device":"dax0.0","offset":4096}',
    ]).answer();
    expect(answer.ok).toBe(true);
    machine.devices();
    expect([hit.length, spared.length]).toEqual([0, 2 * MiB]);
  });

  it('share what a recovery write cleared', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '4MiB' });
    machine.reconfigure('dax0.0', 'famfs');
    const other = temporaryMachine(machine.root);
    machine.memoryFailure({ device: 'dax0.0', offset: 0, length: 8192 });
    machine.device('dax0.0').dax.recoveryWrite(0, 0, new Uint8Array(4096));
    const left = [{ device: 'dax0.0', offset: 4096, length: 4096 }];
    expect(machine.poisonList()).toEqual(left);
    expect(other.poisonList()).toEqual(left);
    machine.createRegion({ size: '2MiB' });
    expect(machine.poisonList()).toEqual(left);
  });

  it('allocate from a memory node one at a time: EBUSY names the other', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '128MiB', sparse: true, targetNode: 4 });
    machine.reconfigure('dax0.0', 'system-ram');
    const child = new Child('allocate', [machine.root, '4']);
    await child.answer();
    const error = errorOf(() => machine.node(4).alloc(4096));
    expect(error.code).toBe('EBUSY');
    expect(error.message).toContain(`pid ${child.pid}`);
    expect(codeOf(() => machine.disable('dax0.0', { force: true }))).toBe('EBUSY');
    expect(codeOf(() => machine.offlineMemory('dax0.0'))).toBe('EBUSY');
    child.proceed();
    await child.answer();
    const buffer = machine.node(4).alloc(4096);
    expect(buffer.bytes.length).toBe(4096);
    buffer.free();
    expect(machine.disable('dax0.0', { force: true }).state).toBe('disabled');
  });
});

describe('kill -9', () => {
  it('in the middle of changes leaves a machine that opens, works and has no leftovers', async () => {
    const root = path.join(temporaryDirectory(), 'state');
    openMachine(root, { create: true }).close();
    for (let round = 0; round < 12; round++) {
      const child = new Child('churn', [root]);
      await child.answer();
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
      await child.killHard();
      const machine = openMachine(root, { create: true });
      try {
        expect(machine.holders()).toEqual([]);
        const { id } = machine.createRegion({ size: '2MiB' });
        expect(machine.openDax(machine.region(id).devices[0]!).mmap().length).toBe(2 * MiB);
        for (const region of machine.regions()) machine.destroyRegion(region.id, { force: true });
        expect(fs.readdirSync(path.join(root, 'regions'))).toEqual([]);
      } finally {
        machine.close();
      }
    }
  });

  it('before any single change of the disk in first use, creation, reconfiguration and destruction leaves a whole machine', {
    timeout: 600_000,
  }, async () => {
    const directory = temporaryDirectory();
    const callsOf = async (at: number): Promise<number | undefined> => {
      const root = path.join(directory, `state-${at}`);
      const child = new Child('dieAt', [root, String(at)]);
      const code = await child.ended;
      expectWholeMachine(root);
      return code === 0 ? Number((await child.answer()).calls) : undefined;
    };
    const total = (await callsOf(0))!;
    expect(total).toBeGreaterThan(20);
    for (let at = 1; at <= total; at += 2) {
      expect(await Promise.all([callsOf(at), at < total ? callsOf(at + 1) : undefined])).toEqual([
        undefined,
        undefined,
      ]);
    }
  });
});

/** The machine opens, is in a state that its last owner passed through, and is fully usable. */
function expectWholeMachine(root: string): void {
  const machine = openMachine(root, { create: true });
  try {
    expect(machine.holders()).toEqual([]);
    for (const region of machine.regions()) {
      expect(fs.statSync(region.backing.path).blocks * 512).toBeGreaterThanOrEqual(2 * MiB);
      expect(['devdax', 'famfs']).toContain(machine.deviceInfo('dax0.0').mode);
      machine.destroyRegion(region.id);
    }
    const { id } = machine.createRegion({ size: '2MiB' });
    expect(id).toBe(0);
    expect(machine.openDax('dax0.0').mmap()[0]).toBe(0);
    expect(fs.readdirSync(path.join(root, 'regions'))).toEqual(['0.mem']);
    expect(fs.readdirSync(root).filter((name) => name.endsWith('.new'))).toEqual([]);
  } finally {
    machine.close();
  }
}
