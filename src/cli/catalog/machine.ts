import type { CommandSpec } from './spec.js';

const group = 'The machine:';
const machine = () => import('../commands/machine.js');

/** Commands about the machine as a whole. */
export const machineCommands: readonly CommandSpec[] = [
  {
    name: 'status',
    group,
    summary: 'the machine at a glance',
    explanation:
      'Shows the regions, the devices with their drivers and modes, who has them open, and known bad memory.',
    examples: ['udax status', 'udax --json status'],
    load: async () => (await machine()).status,
  },
  {
    name: 'top',
    group,
    summary: 'devices, volumes, mounts and holders, live',
    options: [
      ['--once', 'one look, then exit; so it is where stdout is no terminal'],
      ['--interval <SECONDS>', 'between two looks (default 1)'],
    ],
    explanation:
      'Shows the devices with their modes and holders, the space and log of their volumes, and what is mounted, once a second; q or Ctrl-C ends it. ' +
      'A mount with --metrics shows its requests, bytes and mean latency since the look before (with --once: since it began). Narrow ' +
      'terminals get fewer columns. NO_COLOR is heeded.',
    examples: ['udax top', 'udax top --once', 'udax top --json'],
    load: async () => (await import('../commands/top.js')).top,
  },
  {
    name: 'holders',
    group,
    summary: 'who has what open',
    arguments: [['[device]', 'only this device']],
    explanation:
      'Lists the processes that hold devices of this machine: these are what an EBUSY names. ' +
      'Entries of the dead vanish by themselves.',
    examples: ['udax holders', 'udax holders dax0.0'],
    load: async () => (await machine()).holders,
  },
  {
    name: 'poison',
    group,
    summary: 'report bad memory, list it, forget it',
    arguments: [
      ['[device]', 'dax0.0'],
      ['[offset]', 'first bad byte on the device (0, 2M, 0x200000)'],
      ['[length]', 'bytes (default one 4 KiB page)'],
    ],
    options: [
      ['--list', 'show what is known'],
      ['--clear', 'forget all of it'],
    ],
    explanation:
      'Marks pages of a device as failed, as a memory error would: reads of the files that own them give EIO, their mappings are ' +
      'detached, the rest of the volume goes on. Writing a whole page anew clears it.',
    notOnKernel:
      'bad memory of real devices is told and cleared by ndctl and cxl; the kernel injects it by address through /sys/devices/system/memory/hard_offline_page',
    examples: ['udax poison dax0.0 64M 4096', 'udax poison --list', 'udax poison --clear'],
    load: async () => (await machine()).poison,
  },
  {
    name: 'doctor',
    group,
    summary: 'what this host allows, and what it means',
    explanation:
      'Looks at what udax can use here: system calls, locks, shared memory, huge pages, cache flushing, FUSE, the kernel dax bus. ' +
      'Changes nothing. Exit 1 when something that udax needs is missing.',
    examples: ['udax doctor', 'udax doctor --json'],
    load: async () => (await import('../commands/doctor.js')).doctor,
  },
];
