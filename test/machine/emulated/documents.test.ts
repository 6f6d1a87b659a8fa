/**
 * Incident: machine.json was trusted once its fields had the right types. A granule of 0 was a TypeError; 20,000 scattered poison
 * ranges took 40 s; writing its draft followed a symbolic link; a failure after its rename was reported although the change had
 * taken effect.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { DaxError } from '../../../src/libc/index.js';
import { openMachine } from '../../../src/machine/index.js';
import { Child, codeOf, errorOf, temporaryDirectory, temporaryMachine } from '../support.js';

/** A machine that was used, and its document. */
function written(): { root: string; file: string; document: Record<string, unknown> } {
  const root = path.join(temporaryDirectory(), 'state');
  const machine = openMachine(root, { create: true });
  machine.createRegion({ size: '4MiB' });
  machine.createRegion({ size: '2MiB', static: true });
  machine.reconfigure('dax0.0', 'famfs');
  machine.memoryFailure({ device: 'dax1.0', offset: 8192 });
  machine.close();
  const file = path.join(root, 'machine.json');
  return { root, file, document: JSON.parse(fs.readFileSync(file, 'utf8')) };
}

type Place = { container: Record<string, unknown>; key: string; at: string };

/** Every value in a document, with its path. */
function places(value: unknown, at = ''): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = Array.isArray(value) ? `${at}[${key}]` : at === '' ? key : `${at}.${key}`;
    return [{ container: value as Record<string, unknown>, key, at: here }, ...places(inner, here)];
  });
}

const WRONG = [
  null,
  undefined,
  0,
  -1,
  1,
  3,
  0.5,
  1e300,
  2 ** 53,
  '',
  'x',
  '__proto__',
  true,
  [],
  {},
  [null],
  [[]],
];

describe('a machine.json with one wrong value', () => {
  it('is refused with EIO that names the field, or means a machine that works; never another exception', () => {
    const { root, file, document } = written();
    let refused = 0;
    const count = places(document).length;
    for (let i = 0; i < count; i++) {
      for (const wrong of WRONG) {
        const changed = structuredClone(document);
        const place = places(changed)[i]!;
        place.container[place.key] = wrong;
        fs.writeFileSync(file, JSON.stringify(changed));
        try {
          const machine = openMachine(root, { create: true });
          machine.status();
          machine.close();
        } catch (error) {
          expect(error, `${place.at} = ${JSON.stringify(wrong)}`).toBeInstanceOf(DaxError);
          expect(['EIO', 'EOPNOTSUPP']).toContain((error as DaxError).code);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(count * WRONG.length * 0.5);
  });

  it.each([
    ['regions[0].backing.granule', 0],
    ['regions[0].size', 4097],
    ['regions[1].start', -4096],
    ['regions[0].devices[0].name', 'dax5.0'],
    ['regions[1].backing.path', 'relative/file'],
    ['poison[0].pages', 0],
    ['autoOnline', 'sometimes'],
  ])('names %s', (at, wrong) => {
    const { root, file, document } = written();
    const place = places(document).find((found) => found.at === at)!;
    place.container[place.key] = wrong;
    fs.writeFileSync(file, JSON.stringify(document));
    const error = errorOf(() => openMachine(root));
    expect(error.code).toBe('EIO');
    expect(error.message).toContain(at);
  });
});

describe('20,000 scattered poison ranges', () => {
  it('are read, listed and cleared in a few seconds of CPU', () => {
    const { root, file, document } = written();
    const pfn = (document.poison as { pfn: number }[])[0]!.pfn;
    const { size } = (document.regions as { size: number }[])[1]!;
    // Also addresses beyond the device: poison does not depend on devices.
    document.poison = Array.from({ length: 20_000 }, (_, i) => ({
      pfn: pfn + ((i * 7919 * 2) % 40_000),
      pages: 1,
    }));
    fs.writeFileSync(file, JSON.stringify(document));
    const before = process.cpuUsage();
    const machine = temporaryMachine(root);
    expect(machine.poisonList()).toHaveLength((size / 4096 - 2) / 2);
    for (let i = 0; i < 20; i++) machine.devices();
    machine.clearPoison();
    expect(machine.poisonList()).toEqual([]);
    // It took 40 s. CPU time does not depend on how busy the machine is.
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(8);
  });
});

describe('files of the state directory', () => {
  it('are written anew, never through a link that lies there', () => {
    const machine = temporaryMachine();
    const victim = path.join(temporaryDirectory(), 'victim');
    fs.writeFileSync(victim, 'precious');
    fs.symlinkSync(victim, path.join(machine.root, 'machine.json.new'));
    machine.createRegion({ size: '2MiB' });
    expect(fs.readFileSync(victim, 'utf8')).toBe('precious');
    expect(fs.lstatSync(path.join(machine.root, 'machine.json')).isFile()).toBe(true);
    expect(temporaryMachine(machine.root).regions()).toHaveLength(1);
  });

  it.each(['machine.lock', 'machine.json'])(
    'are files: a pipe, a link or a directory as %s is refused at once',
    (name) => {
      const machine = temporaryMachine();
      machine.close();
      const file = path.join(machine.root, name);
      fs.renameSync(file, `${file}.kept`);
      for (const [code, make] of [
        ['EINVAL', () => spawnSync('mkfifo', [file])],
        ['ELOOP', () => fs.symlinkSync(`${file}.kept`, file)],
        ['EISDIR', () => fs.mkdirSync(file)],
      ] as const) {
        make();
        const error = errorOf(() => openMachine(machine.root));
        expect([error.code, error.message.includes(file)]).toEqual([code, true]);
        fs.rmSync(file, { recursive: true });
      }
    },
  );

  it('that hold memory are open to no more than may change the directory, whatever the umask', () => {
    const before = process.umask(0);
    try {
      for (const [directory, memory] of [
        [0o700, 0o600],
        [0o755, 0o600],
        [0o770, 0o660],
        [0o777, 0o666],
      ]) {
        const root = temporaryDirectory();
        fs.chmodSync(root, directory!);
        const { backing } = temporaryMachine(root).createRegion({ size: '2MiB' });
        const modes = [backing.path, path.join(root, 'machine.lock')].map(
          (file) => fs.statSync(file).mode & 0o777,
        );
        expect(modes).toEqual([memory, memory]);
        expect(fs.statSync(path.join(root, 'machine.json')).mode & 0o777).toBe(directory! & 0o666);
      }
    } finally {
      process.umask(before);
    }
  });

  it('are named: an empty root is EINVAL, never the default machine or the working directory', () => {
    expect(codeOf(() => openMachine(''))).toBe('EINVAL');
  });
});

describe('a live process', () => {
  it.each([
    ['removed', (file: string) => fs.rmSync(file)],
    ['cut to nothing', (file: string) => fs.truncateSync(file, 0)],
    ['replaced by rubbish', (file: string) => fs.writeFileSync(file, 'rubbish')],
  ])(
    'whose machine.json is %s gets an error at its next call, lives, and goes on when it is back',
    async (_what, harm) => {
      const machine = temporaryMachine();
      machine.createRegion({ size: '2MiB' });
      const child = new Child('call-often', [machine.root]);
      expect(await child.answer()).toMatchObject({ ok: true });
      const file = path.join(machine.root, 'machine.json');
      fs.copyFileSync(file, `${file}.backup`);
      harm(file);
      child.proceed();
      expect((await child.answer()).code).toMatch(/^(EIO|ESTALE)$/);
      fs.renameSync(`${file}.backup`, file);
      child.proceed();
      expect(await child.answer()).toMatchObject({ ok: true });
    },
  );

  it('hears of changes although a file of the state directory was removed or replaced meanwhile', async () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const child = new Child('watch', [machine.root]);
    expect((await child.answer()).poison).toEqual([]);
    // Files that older versions kept beside machine.json, and told users to remove.
    fs.writeFileSync(path.join(machine.root, 'generation'), Buffer.alloc(8));
    machine.memoryFailure({ device: 'dax0.0', offset: 0 });
    child.proceed();
    expect((await child.answer()).poison).toHaveLength(1);
  });
});

describe('a failure after machine.json has its new name', () => {
  it.each(['fsync', 'open', 'readdir', 'rm'])('is a warning and the change succeeds: %s', async (call) => {
    const machine = temporaryMachine();
    const { root } = machine;
    const answer = await new Child('fail-after-rename', [root, call]).answer();
    expect(answer).toMatchObject({ ok: true, failed: true });
    expect(answer.warnings).toEqual([
      expect.stringMatching(/^UDAX_AFTER_COMMIT the change was made, but .* failed/),
    ]);
    expect(machine.regions()).toHaveLength(1);
    expect(machine.createRegion({ size: '2MiB' }).id).toBe(1);
    expect(fs.readdirSync(path.join(root, 'regions')).sort()).toEqual(['0.mem', '1.mem']);
  });
});
