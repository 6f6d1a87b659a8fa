import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openMachine } from '../../../src/machine/index.js';
import { Child, codeOf, errorOf, isRoot, temporaryDirectory, temporaryMachine } from '../support.js';

const NOBODY = 65534;

describe('the state directory', () => {
  it('is made on first use, closed to other users, with the three modules in order', () => {
    const root = path.join(temporaryDirectory(), 'deep', 'er');
    const machine = temporaryMachine(root);
    expect(fs.readdirSync(root).sort()).toEqual([
      'holders',
      'machine.json',
      'machine.json.spare',
      'machine.lock',
      'regions',
      'volumes',
    ]);
    expect(fs.statSync(root).mode & 0o777).toBe(0o700);
    expect(machine.status().modules).toEqual(['device_dax', 'fsdev_dax', 'kmem']);
    expect(machine.regions()).toEqual([]);
  });

  it('gives the same machine when opened again', () => {
    const root = path.join(temporaryDirectory(), 'state');
    const first = openMachine(root, { create: true });
    first.createRegion({ size: '4MiB', type: 'kmem', targetNode: 5 });
    first.createRegion({ size: '4MiB', static: true, align: 4096 });
    first.reconfigure('dax1.0', 'famfs');
    const told = { regions: first.regions(), devices: first.devices() };
    first.close();
    const second = temporaryMachine(root);
    expect({ regions: second.regions(), devices: second.devices() }).toEqual(told);
  });

  it('does not write when a change changes nothing', () => {
    const machine = temporaryMachine();
    const before = machine.status().generation;
    machine.change(() => {});
    expect(machine.status().generation).toBe(before);
  });

  it.each([
    ['not JSON', '{"schema": 1, '],
    ['empty', ''],
    ['another shape', '{"schema":2,"generation":3,"regions":"none"}'],
    ['null', 'null'],
    ['an older schema', '{"schema":0}'],
  ])('refuses a machine.json that is %s with EIO naming the file, and writes nothing', (_what, text) => {
    const { root } = closedMachine();
    const file = path.join(root, 'machine.json');
    fs.writeFileSync(file, text);
    const error = errorOf(() => openMachine(root));
    expect(error.code).toBe('EIO');
    expect(error.message).toContain(file);
    expect(fs.readFileSync(file, 'utf8')).toBe(text);
  });

  it('refuses regions that overlap in machine.json with EIO naming the file', () => {
    const { root } = closedMachine((machine) => machine.createRegion({ size: '2MiB' }));
    const file = path.join(root, 'machine.json');
    const document = JSON.parse(fs.readFileSync(file, 'utf8'));
    document.regions.push({ ...document.regions[0], id: 1 });
    fs.writeFileSync(file, JSON.stringify(document));
    const error = errorOf(() => openMachine(root));
    expect(error.code).toBe('EIO');
    expect(error.message).toContain(file);
  });

  it('refuses a newer schema with EOPNOTSUPP, and writes nothing', () => {
    const { root } = closedMachine();
    const file = path.join(root, 'machine.json');
    const text = '{"schema":3,"news":true}';
    fs.writeFileSync(file, text);
    const error = errorOf(() => openMachine(root));
    expect(error.code).toBe('EOPNOTSUPP');
    expect(error.message).toMatch(/newer udax.*update/);
    expect(fs.readFileSync(file, 'utf8')).toBe(text);
  });

  it('says ESTALE when it was removed or replaced under an open machine', () => {
    const machine = temporaryMachine();
    fs.rmSync(machine.root, { recursive: true });
    openMachine(machine.root, { create: true }).close();
    expect(codeOf(() => machine.createRegion({ size: '2MiB' }))).toBe('ESTALE');
  });

  it('says EBADF after close, and close may be repeated', () => {
    const machine = temporaryMachine();
    machine.close();
    machine.close();
    expect(codeOf(() => machine.devices())).toBe('EBADF');
    expect(codeOf(() => machine.createRegion({ size: '2MiB' }))).toBe('EBADF');
  });

  it('is made once when four processes open it at the same time', async () => {
    const root = path.join(temporaryDirectory(), 'state');
    const children = [0, 1, 2, 3].map(() => new Child('call', [root, 'createRegion', '{"size":"2M"}']));
    const answers = await Promise.all(children.map((child) => child.answer()));
    expect(answers.map((answer) => answer.ok)).toEqual([true, true, true, true]);
    const ids = temporaryMachine(root)
      .regions()
      .map((region) => region.id);
    expect(ids).toEqual([0, 1, 2, 3]);
  });

  it.skipIf(!isRoot)(
    'cannot be made where this user may not write: EACCES (needs root to become nobody)',
    async () => {
      const parent = temporaryDirectory();
      fs.chmodSync(parent, 0o755);
      const answer = await new Child('list', [path.join(parent, 'state')], { uid: NOBODY }).answer();
      expect(answer).toMatchObject({ ok: false, code: 'EACCES' });
      expect(answer.message).toContain(path.join(parent, 'state'));
      expect(fs.readdirSync(parent)).toEqual([]);
    },
  );

  it.skipIf(!isRoot)(
    'lists but refuses changes where this user may only read (needs root to become nobody)',
    async () => {
      const parent = temporaryDirectory();
      fs.chmodSync(parent, 0o755);
      const { root } = closedMachine(
        (machine) => machine.createRegion({ size: '2MiB' }),
        path.join(parent, 'state'),
      );
      fs.chmodSync(root, 0o755);
      for (const name of fs.readdirSync(root))
        fs.chmodSync(path.join(root, name), name.includes('.') || name === 'generation' ? 0o644 : 0o755);
      const child = new Child('list', [root], { uid: NOBODY });
      expect(await child.answer()).toMatchObject({ ok: true, regions: [{ id: 0 }] });
      expect(await child.answer()).toMatchObject({ ok: false, code: 'EACCES' });
    },
  );

  it.skipIf(!isRoot)('closed to this user is EACCES naming it (needs root to become nobody)', async () => {
    const parent = temporaryDirectory();
    fs.chmodSync(parent, 0o755);
    const { root } = closedMachine(() => {}, path.join(parent, 'state'));
    const answer = await new Child('list', [root], { uid: NOBODY }).answer();
    expect(answer).toMatchObject({ ok: false, code: 'EACCES' });
    expect(answer.message).toContain(root);
  });
});

/** A machine that was used and closed. */
function closedMachine(
  use: (machine: ReturnType<typeof openMachine>) => void = () => {},
  root = path.join(temporaryDirectory(), 'state'),
): { root: string } {
  const machine = openMachine(root, { create: true });
  try {
    use(machine);
  } finally {
    machine.close();
  }
  return { root };
}
