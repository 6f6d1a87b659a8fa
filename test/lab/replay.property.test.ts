import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../../src/dax/index.js';
import { executeStep } from '../../src/lab/replay/replay.js';
import type { Scenario, Step } from '../../src/lab/replay/transcript.js';
import { World } from '../../src/lab/replay/world.js';
import { Tally } from '../support/tally.js';

/** Violations that the quirks of the recorded kernel cause. There must be no others. */
const QUIRKS_BREAK = [/has a page map without a driver/, /mmap through a node whose driver is gone/];

const DEVICES = ['dax0.0', 'dax0.1', 'dax1.0', 'dax2.0'];
const DRIVERS = ['device_dax', 'fsdev_dax', 'kmem'];
const MACHINES = ['pmem', 'pmem4k', 'pmem1g', 'labels', 'hmem', 'odd', 'busy', 'mhp', 'nonuma'];
const MODES = ['devdax', 'famfs', 'system-ram'];
const MIB = 2 ** 20;

const from = <T>(...values: T[]) => fc.constantFrom(...values);
const device = from(...DEVICES);
const driver = from(...DRIVERS);
const bytes = from(0, 1, 4096, MIB, 2 * MIB, 64 * MIB, 128 * MIB, 1024 * MIB);
const proc = from('m', 'h');
const fd = from('f', 'g');
const map = from('a', 'b');

const write = (path: fc.Arbitrary<string>, data: fc.Arbitrary<string>) =>
  fc.record({ op: fc.constant('write'), path, data });
const onDevice = (name: string) => device.map((d) => `bus/dax/devices/${d}/${name}`);
const onDriver = from('bind', 'unbind', 'new_id', 'remove_id').chain((name) =>
  driver.map((d) => `bus/dax/drivers/${d}/${name}`),
);
const onRegion = (name: string) => from('region0', 'region1').map((r) => `$${r}/${name}`);
const span = fc
  .tuple(fc.nat(300), fc.nat(40))
  .map(([at, length]) => [at * 2 * MIB + 0x1_0000_0000, (at + length) * 2 * MIB + 0xffff_ffff] as const)
  .map(([start, end]) => `0x${start.toString(16)}-0x${end.toString(16)}`);
const daxctl = fc
  .tuple(
    from('daxctl76', 'daxctl85'),
    fc.oneof(
      from(['list', '-DRM', '-iu'], ['create-device', '-s', '128M'], ['create-device', '-r', '0']),
      fc
        .tuple(
          from('destroy-device', 'enable-device', 'disable-device', 'online-memory', 'offline-memory'),
          device,
        )
        .map((words) => [...words]),
      fc
        .tuple(from(...MODES), device, fc.boolean())
        .map(([mode, d, force]) => ['reconfigure-device', '-m', mode, d, ...(force ? ['-f'] : [])]),
    ),
  )
  .map(([program, words]) => ({ op: 'exec', argv: [program, ...words] }));

const likely = fc.oneof(
  { arbitrary: write(onDriver, device), weight: 6 },
  { arbitrary: write(onDevice('size'), bytes.map(String)), weight: 3 },
  write(onDevice('align'), from('4096', '2097152', '1073741824', '3')),
  { arbitrary: write(onDevice('mapping'), span), weight: 2 },
  write(onDevice('memmap_on_memory'), from('0', '1')),
  write(onRegion('create'), fc.constant('1')),
  write(onRegion('delete'), device),
  write(
    fc.constant('devices/system/memory/auto_online_blocks'),
    from('offline', 'online', 'online_kernel', 'online_movable'),
  ),
  write(
    from(32, 33, 42, 45).map((n) => `devices/system/memory/memory${n}/state`),
    from('offline', 'online', 'online_movable'),
  ),
  write(
    from('hard', 'soft').map((kind) => `devices/system/memory/${kind}_offline_page`),
    from('0x100001000', '0x150001000', '0x180a01000', 'junk'),
  ),
  fc.record({ op: from('insmod', 'rmmod'), module: driver }),
  fc.record({ op: from('attach', 'detach'), source: from('pmem', 'hmem', 'hmem_idle') }),
  fc.record({
    op: fc.constant('open'),
    proc,
    fd,
    file: device,
    flags: from('rw', 'ro', 'wo', 'path', 'rw,direct'),
  }),
  fc.record({
    op: from('close', 'pread', 'pwrite', 'fallocate', 'poll'),
    proc,
    fd,
    length: bytes,
    offset: bytes,
  }),
  {
    arbitrary: fc.record({
      op: fc.constant('mmap'),
      proc,
      fd,
      map,
      length: bytes,
      offset: bytes,
      prot: from('rw', 'r', ''),
      flags: from('shared', 'private', 'shared|populate'),
    }),
    weight: 3,
  },
  {
    arbitrary: fc.record({
      op: from('load', 'store', 'munmap', 'mprotect', 'fork_inherit'),
      proc,
      map,
      offset: bytes,
      length: bytes,
      byte: fc.nat(255),
      prot: from('r', 'rw'),
    }),
    weight: 3,
  },
  fc.record({
    op: fc.constant('madvise'),
    proc,
    map,
    offset: bytes,
    length: from(4096, 2 * MIB),
    advice: from('hwpoison', 'dontneed', 'nohugepage', 'populate_write', 'soft_offline', 'dontfork'),
  }),
  from('state', 'iomem', 'uevents', 'modules').map((op) => ({ op })),
  fc.record({ op: fc.constant('kill'), target: proc }),
  daxctl,
);

/** Steps that nobody would write: any operation with arguments of any kind. */
const OPERATIONS = [
  'attach',
  'insmod',
  'write',
  'read',
  'readlink',
  'ls',
  'stat',
  'tree',
  'open',
  'close',
  'pread',
  'fdwrite',
  'lseek',
  'ioctl',
  'mmap',
  'load',
  'store',
  'fill',
  'munmap',
  'mprotect',
  'mremap',
  'madvise',
  'fork_inherit',
  'mce_policy',
  'setuid',
  'exec',
  'mknod',
  'kill',
  'juggle',
  'constructor',
  '__proto__',
];
const anything = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    -1,
    0.5,
    1e300,
    '',
    '..',
    '/',
    'a/../b',
    '__proto__',
    'constructor',
    [],
    {},
    true,
  ),
  fc.string({ maxLength: 12 }),
  fc.integer(),
);
const odd = fc
  .tuple(
    from(...OPERATIONS),
    fc.dictionary(
      from(
        ...[
          'path',
          'data',
          'source',
          'module',
          'fd',
          'file',
          'flags',
          'length',
          'offset',
          'prot',
          'map',
          'byte',
        ],
        ...['device', 'name', 'argv', 'advice', 'depth', 'cmd', 'target', 'uid', 'whence', 'proc', 'policy'],
      ),
      anything,
    ),
  )
  .map(([op, args]) => ({ ...args, op }));

function run(machine: string, steps: readonly object[], tally: Tally): void {
  const whole = steps.map((step) => ({ ...step, result: { ok: true } }) as unknown as Step);
  const world = new World({ name: 'random', setup: { machine }, steps: whole } satisfies Scenario);
  try {
    for (const step of whole) {
      const got = executeStep(world, step);
      tally.count('a step', got.errno === undefined);
      // A replay reports a defect of the model as EFAULT with a stack.
      expect(got.errno === 'EFAULT' && got.code !== undefined ? got.code : '', JSON.stringify(step)).toBe('');
      const broken = checkInvariants(world.bus).filter(
        ({ invariant, text }) => !QUIRKS_BREAK.some((known) => known.test(`${invariant}: ${text}`)),
      );
      expect(broken, JSON.stringify(step)).toEqual([]);
    }
  } finally {
    world.close();
  }
}

describe('random scenarios', () => {
  it('are answered step by step, and the invariants hold after each', () => {
    const tally = new Tally();
    fc.assert(
      fc.property(
        from(...MACHINES),
        from('hmem', 'hmem_idle'),
        fc.array(likely, { maxLength: 40 }),
        (machine, source, steps) => {
          const first = [
            { op: 'attach', source },
            { op: 'attach', source: 'pmem' },
          ];
          run(machine, [...first, ...DRIVERS.map((module) => ({ op: 'insmod', module })), ...steps], tally);
        },
      ),
      { numRuns: 150 },
    );
    tally.mustReach({ 'a step': 0.1 });
  });

  it('of steps that make no sense are answered too', () => {
    const tally = new Tally();
    fc.assert(
      fc.property(from(...MACHINES), fc.array(fc.oneof(odd, likely), { maxLength: 25 }), (machine, steps) =>
        run(
          machine,
          [{ op: 'attach', source: 'pmem' }, { op: 'insmod', module: 'device_dax' }, ...steps],
          tally,
        ),
      ),
      { numRuns: 300 },
    );
    tally.mustReach({ 'a step': 0.05 });
  });
});
