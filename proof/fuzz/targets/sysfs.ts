/** Writes to the attributes of a model bus, and daxctl command lines. */
import { Bus, checkInvariants } from '../../../src/dax/index.js';
import { accessTo, daxctlHost, runDaxctl, Sysfs } from '../../../src/tree/index.js';
import { nasty, nastyName, nastyText, Random } from '../random.js';
import { answered, assert, type Target } from '../target.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TEXTS = [
  'dax0.0',
  'dax0.1',
  'dax1.0',
  'dax0.0\n\0',
  '1',
  '0',
  '2097152',
  '0x200000',
  '0x40000000',
  '-1',
  '18446744073709551615',
  'online',
  'offline',
  'online_movable',
  'online_kernel',
  '1\n',
  '',
  '\0',
  '\n',
  '0x100000000-0x1001fffff',
  '100000000-1001fffff',
  'kmem',
  'device_dax',
  ' ',
  'dax0.0 1',
  'dax0.00',
  'dax-1.0',
  'dax0.4294967296',
  '1G',
  '2M',
  '4096',
];
const WORDS = [
  'list',
  '-DRMiu',
  '-D',
  '-R',
  '-r',
  '0',
  '-d',
  'dax0.0',
  'dax0.1',
  'dax1.0',
  'create-device',
  'destroy-device',
  'enable-device',
  'disable-device',
  'reconfigure-device',
  'online-memory',
  'offline-memory',
  '-f',
  '-m',
  'devdax',
  'famfs',
  'system-ram',
  '-N',
  '--no-movable',
  '-s',
  '2M',
  '1G',
  '-a',
  '4096',
  '--',
  '-u',
  'all',
  '--help',
  '-x',
  '',
  '--mode=devdax',
  '--size',
  '18446744073709551616',
  '-1',
  '--region',
  'version',
];

function makeBus(random: Random): Bus {
  const bus = new Bus({ autoOnline: random.once(3) ? 'online_movable' : 'offline' });
  const type = random.once(3) ? 'kmem' : 'device';
  bus.addRegion({
    type,
    start: 4 * GIB,
    size: GIB,
    align: random.pick([4096, 2 * MIB]),
    targetNode: 1,
    idle: random.once(4),
  });
  bus.addRegion({
    type: 'device',
    static: true,
    start: 6 * GIB,
    size: 512 * MIB,
    align: 2 * MIB,
    targetNode: 0,
  });
  for (const name of ['device_dax', 'fsdev_dax', 'kmem']) if (!random.once(5)) bus.insmod(name);
  return bus;
}

function textOf(random: Random): string {
  if (random.once(5)) return String(nasty(random, 2n ** 21n));
  if (random.once(5)) return nastyText(random, random.pick(TEXTS));
  if (random.once(9)) return nastyName(random).toString('latin1');
  return random.pick(TEXTS);
}

/** All attributes that exist now. */
function attributesOf(tree: Sysfs): string[] {
  return tree
    .tree('/', 9)
    .filter(({ type }) => type === 'file')
    .map(({ path }) => path);
}

export const sysfsTarget: Target = {
  name: 'sysfs',
  share: 25,
  open() {},
  run(recipe) {
    const bus = makeBus(new Random(recipe[0] ?? 0));
    const tree = new Sysfs(accessTo(bus));
    for (const seed of recipe) {
      const random = new Random(seed + 4);
      const paths = attributesOf(tree);
      for (let acts = 1 + random.below(5); acts > 0; acts--) {
        if (random.once(4)) {
          const words = Array.from({ length: 1 + random.below(6) }, () =>
            random.once(12) ? textOf(random) : random.pick(WORDS),
          );
          answered(() => runDaxctl(daxctlHost(bus), words));
        } else {
          const path = random.once(12) ? nastyName(random).toString('latin1') : random.pick(paths);
          answered(() => tree.write(path, textOf(random)));
          answered(() => tree.read(path));
        }
        const wrong = checkInvariants(bus);
        assert(wrong.length === 0, `the bus broke: ${JSON.stringify(wrong[0])}`);
      }
    }
  },
  close() {},
};
