/**
 * The state directory: its document, its lock, its holders, and operations that need a device exclusively (mkfs, take-over,
 * another mode).
 */
import { fsck, type Machine, mkfs, mountFamfs, openMachine, takeOver } from '../../../src/index.js';
import { hasCode } from '../../../src/libc/index.js';
import type { Look, Protocol, World } from '../types.js';
import { codeOf, onMachine, onVolume, succeeded } from './opening.js';

/** Uses the machine outside the two actors. */
function withMachine<T>(world: World, act: (machine: Machine) => T): T {
  const machine = openMachine(world.roots[0]);
  try {
    return act(machine);
  } finally {
    machine.close();
  }
}

const stateModes: Protocol = {
  name: 'state-modes',
  about: 'two processes change the modes of two devices',
  hosts: 1,
  prepare: (world) =>
    withMachine(world, (machine) => {
      for (const name of ['dax1.0', 'dax2.0']) machine.reconfigure(name, 'devdax');
    }),
  actors: [
    onMachine((machine) => machine.reconfigure('dax1.0', 'famfs').mode),
    onMachine((machine) => machine.reconfigure('dax2.0', 'famfs').mode),
  ],
  judge: ({ world }) =>
    withMachine(world, (machine) =>
      ['dax1.0', 'dax2.0']
        .filter((name) => machine.devices().find((device) => device.name === name)?.mode !== 'famfs')
        .map((name) => `${name} was told to be in famfs mode, and is not`),
    ),
};

const REGIONS = 3;

const stateRegions: Protocol = {
  name: 'state-regions',
  about: 'two processes make regions',
  hosts: 1,
  prepare: (world) =>
    withMachine(world, (machine) => {
      for (const { id } of machine.regions()) if (id >= REGIONS) machine.destroyRegion(id);
    }),
  actors: [
    onMachine((machine) => machine.createRegion({ size: '2MiB', sparse: true }).id),
    onMachine((machine) => machine.createRegion({ size: '4MiB', sparse: true }).id),
  ],
  judge: ({ world, told }) =>
    withMachine(world, (machine) => {
      const [one, other] = told.map(({ value }) => machine.regions().find(({ id }) => id === value)?.size);
      return one === 2 ** 21 && other === 2 ** 22 ? [] : [`regions of ${one} and ${other} bytes were made`];
    }),
};

/** Mounts, makes a directory and unmounts, all within the run. */
function mountAndMake(machine: Machine, run: number): string {
  const volume = mountFamfs(machine.device('dax0.0'));
  try {
    volume.mkdir(`/m${run}`);
    return volume.superblock.uuid;
  } finally {
    volume.close();
  }
}

const holders: Protocol = {
  name: 'holders',
  about: 'one mounts and unmounts, one lists the holders',
  hosts: 1,
  actors: [
    onMachine(mountAndMake),
    onMachine((machine) => machine.holders('dax0.0').map(({ pid, purpose }) => `${pid > 0} ${purpose}`)),
  ],
  judge: ({ told, world }) => [
    ...((told[1].value ?? []) as string[])
      .filter((holder) => holder !== 'true mount' && holder !== 'true use')
      .map((holder) => `a holder was listed as '${holder}'`),
    ...withMachine(world, (machine) =>
      machine
        .holders('dax0.0')
        .filter(({ pid }) => pid !== process.pid)
        .map(({ purpose }) => `a holder (${purpose}) is left of those who closed`),
    ),
  ],
};

/** A mount and an act that needs the device exclusively. They cannot both hold it at once, and they must not both be refused. */
function alone(name: string, about: string, act: (machine: Machine, run: number) => unknown): Protocol {
  return {
    name,
    about,
    hosts: 1,
    allowed: ['EBUSY', 'ENXIO', 'ESTALE', 'EROFS'],
    actors: [onMachine(mountAndMake), onMachine(act)],
    judge: (look) => judgeAlone(look),
  };
}

function judgeAlone({ told, volume, run }: Look): string[] {
  const problems = succeeded(told) === 0 ? [`both were refused: ${told.map(codeOf).join(', ')}`] : [];
  // What was made on the current file system must be there.
  const isMade = !told[0].error && told[0].value === volume.superblock.uuid;
  if (isMade && !volume.exists(`/m${run}`)) problems.push(`/m${run} was lost`);
  if (told[0].error && volume.exists(`/m${run}`)) problems.push(`/m${run} was refused, and is there`);
  return problems;
}

const mkfsMount = alone('mkfs-append', 'one mounts and appends, one makes a new file system', (machine) =>
  mkfs(machine.device('dax0.0'), { force: true }),
);

const takeOverMount: Protocol = {
  ...alone('takeover-append', 'one mounts and appends, one takes the file system over', () => {}),
  prepare: (world) =>
    withMachine(world, (machine) => {
      takeOver(machine.device('dax0.0'), { force: true });
    }),
  actors: [
    onMachine(mountAndMake),
    onMachine(
      (machine, _run, world) =>
        takeOver(machine.device('dax0.0'), { systemUuid: world.uuids[1], force: true }).to,
    ),
  ],
  judge: (look) => [
    ...judgeAlone(look),
    ...(look.told[1].error || look.volume.superblock.systemUuid === look.world.uuids[1]
      ? []
      : ['the take-over was told, and the owner is another']),
  ],
};

const third = '33333333-3333-4333-8333-333333333333';

const takeOverTwice: Protocol = {
  name: 'takeover-takeover',
  about: 'two processes take the file system over for two hosts',
  hosts: 1,
  allowed: ['EBUSY'],
  prepare: takeOverMount.prepare!,
  actors: [
    onMachine((machine) => takeOver(machine.device('dax0.0'), { systemUuid: third, force: true }).to),
    takeOverMount.actors[1],
  ],
  judge: ({ told, volume }) => {
    const owners = told.filter(({ error }) => !error).map(({ value }) => value);
    if (owners.length === 0) return ['both were refused'];
    const { systemUuid } = volume.superblock;
    return owners.includes(systemUuid) ? [] : [`the owner is ${systemUuid}, told were ${owners.join(', ')}`];
  },
};

/** Changes the mode and changes it back. A user that comes in between keeps the device in devdax mode. */
function awayAndBack(machine: Machine): string {
  machine.reconfigure('dax0.0', 'devdax');
  return back(machine);
}

function back(machine: Machine): string {
  try {
    return machine.reconfigure('dax0.0', 'famfs').mode;
  } catch (error) {
    if (!hasCode(error, 'EBUSY')) throw error;
    return 'devdax';
  }
}

const modeMount: Protocol = {
  ...alone('mode-mount', 'one mounts and appends, one puts the device into another mode and back', () => {}),
  actors: [onMachine(mountAndMake), onMachine(awayAndBack, back)],
};

/** The master may be stopped at any step of an append while another host takes over. Its next append must fail. */
const hostsTakeOver: Protocol = {
  name: 'hosts-takeover',
  about:
    'two hosts without common caches: the master appends, the other takes over; then the master appends again',
  hosts: 2,
  runsInWorld: 1,
  allowed: ['EROFS'],
  actors: [
    onVolume((volume, run) => {
      const made: string[] = [];
      for (const name of ['/a', '/b']) {
        volume.mkdir(`${name}${run}`);
        made.push(`${name}${run}`);
      }
      return made;
    }),
    onMachine((machine, _run, world) => {
      const device = machine.device('dax0.0');
      takeOver(device, { from: world.uuids[0] });
      const { errors } = fsck(device);
      return errors.map(({ message }) => message);
    }),
  ],
  judge: ({ told, volume, world }) => {
    const problems = ((told[0].value ?? []) as string[]).filter((path) => !volume.exists(path));
    const { systemUuid } = volume.superblock;
    return [
      ...problems.map((path) => `${path} was lost`),
      ...((told[1].value ?? []) as string[]).map((message) => `the new owner's fsck: ${message}`),
      ...(told[1].error || systemUuid === world.uuids[1] ? [] : [`the owner is ${systemUuid}`]),
    ];
  },
};

export const machineProtocols = [
  stateModes,
  stateRegions,
  holders,
  mkfsMount,
  modeMount,
  takeOverMount,
  takeOverTwice,
  hostsTakeOver,
];
