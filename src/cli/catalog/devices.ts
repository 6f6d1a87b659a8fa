import type { CommandSpec } from './spec.js';

const group = 'Regions and devices:';
const regions = () => import('../commands/regions.js');
const devices = () => import('../commands/devices.js');

/** Commands that change the bus. */
export const deviceCommands: readonly CommandSpec[] = [
  {
    name: 'create-region',
    group,
    summary: 'add a span of memory with its first device',
    options: [
      ['-s, --size <SIZE>', 'bytes of the region: 256M, 1GiB (required, or --ram)'],
      [
        '--ram <SIZE>',
        'instead of -s: so many bytes in /dev/shm, in a file that the machine makes, owns and removes with the region',
      ],
      ['-a, --align <ALIGN>', 'mapping granule of its devices: 4096, 2M or 1G (default 2M)'],
      [
        '-b, --backing <BACKING>',
        'existing file, hugetlbfs file or /dev/daxX.Y with the memory (default ROOT/regions/R.mem)',
      ],
      ['--offset <N>', 'where the region begins in its backing (default 0)'],
      ['--type <TYPE>', 'device (default) or kmem: which driver takes its devices'],
      ['--static', 'one device of fixed size, as pmem has; default is dynamic, as hmem'],
      [
        '--non-coherent',
        'other hosts share the backing and their caches do not see ours: flush and invalidate (needs libpmem)',
      ],
      [
        '--sparse',
        'do not allocate the space now (tests, file systems that cannot: a full disk is then met later)',
      ],
    ],
    explanation:
      'Adds a region, the memory a provider hands to the dax bus, and the device daxR.0 that covers it. ' +
      'The space of the default backing is allocated now, so that a full disk is an error here and never a crash later. ' +
      'With --ram the memory is RAM (a file of mode 0600 in /dev/shm, which udax status names): fast, and gone after a restart of the host; ' +
      'destroy the region before you remove the state directory, else the file stays.',
    notOnKernel:
      'its regions come from firmware or tools: ndctl create-namespace -m devdax, cxl create-region, memmap= (docs/hardware.md)',
    examples: [
      'udax create-region -s 1GiB',
      'udax create-region --ram 4G',
      'udax create-region -s 4G -b /mnt/huge/pool',
      'udax create-region -s 512M --type kmem',
    ],
    load: async () => (await regions()).createRegion,
  },
  {
    name: 'destroy-region',
    group,
    summary: 'take a region and its devices away',
    arguments: [['<id>', 'region id, as list -R shows it']],
    options: [['-f, --force', 'also when a famfs is on it, or memory of it is online']],
    explanation:
      'Detaches a region: its devices are unbound and removed. The default backing file, and memory of --ram, is deleted with all that is in it; ' +
      'a backing you named with -b stays as it is. A device that a process holds is refused (EBUSY) with the holders named.',
    notOnKernel: 'its regions are taken away by who made them: ndctl destroy-namespace, cxl destroy-region',
    examples: ['udax destroy-region 0', 'udax destroy-region 1 -f'],
    load: async () => (await regions()).destroyRegion,
  },
  {
    name: 'list',
    group,
    summary: 'regions and devices as JSON, exactly as daxctl list prints them',
    options: [
      ['-D, --devices', 'devices (the default)'],
      ['-R, --regions', 'regions'],
      ['-M, --mappings', 'the ranges of each device'],
      ['-i, --idle', 'also disabled devices'],
      ['-u, --human', 'sizes for people'],
      ['-r, --region <ID>', 'only this region'],
      ['-d, --dev <DEV>', 'only this device'],
    ],
    explanation:
      'Prints what daxctl 85 would print for this bus, always as JSON, because scripts parse it: ' +
      'nothing and exit 0 when there is nothing to list.',
    examples: ['udax list', 'udax list -DRM -iu', 'udax list -d dax0.0'],
    load: async () => (await devices()).list,
  },
  {
    name: 'create-device',
    group,
    summary: 'carve a device out of the free space of a region',
    options: [
      ['-r, --region <ID>', 'the region (default: the one with the most free space)'],
      ['-s, --size <SIZE>', 'bytes (default: all that is free)'],
      ['-a, --align <ALIGN>', '4096, 2M or 1G (default: that of the region)'],
    ],
    explanation:
      'Makes the next free daxR.N in a dynamic region and gives it a size; the driver of the region type takes it at once.',
    examples: ['udax create-device -r 0 -s 128M', 'udax create-device -r 0'],
    load: async () => (await devices()).createDevice,
  },
  {
    name: 'resize-device',
    group,
    summary: 'grow or shrink a device within its region',
    arguments: [['<device>', 'dax0.1']],
    options: [
      ['-s, --size <SIZE>', 'bytes it has then: a multiple of 2M and of its align; 0 empties it (required)'],
    ],
    explanation:
      'Sets the size of a disabled device of a dynamic region, as a store to its size in sysfs does. It grows into what is free in the ' +
      'region, in several ranges where that is in pieces, and shrinks from its end. What is in the memory stays, but a file system does not grow ' +
      'or shrink with its device: copy the files out, resize, mkfs. An enabled device is EBUSY, other sizes EINVAL, more than is free ENOSPC, ' +
      'the device of a static region EACCES, as the kernel answers.',
    examples: [
      'udax disable-device dax0.1 && udax resize-device -s 512M dax0.1 && udax enable-device dax0.1',
    ],
    load: async () => (await devices()).resizeDevice,
  },
  {
    name: 'destroy-device',
    group,
    summary: 'give a device back to its region',
    arguments: [['<device>', 'dax0.1']],
    options: [['-f, --force', 'disable it first']],
    explanation:
      'Removes a disabled device; its memory becomes free space of the region. Instance 0 stays, at size 0, as with daxctl 85.',
    examples: ['udax disable-device dax0.1 && udax destroy-device dax0.1'],
    load: async () => (await devices()).destroyDevice,
  },
  {
    name: 'enable-device',
    group,
    summary: 'bind a device to its driver',
    arguments: [['<device>', 'dax0.0']],
    explanation:
      'Binds a disabled device to device_dax, as daxctl does. For a file system use reconfigure-device -m famfs.',
    examples: ['udax enable-device dax0.0'],
    load: async () => (await devices()).enableDevice,
  },
  {
    name: 'disable-device',
    group,
    summary: 'unbind a device from its driver',
    arguments: [['<device>', 'dax0.0']],
    options: [['-f, --force', 'also when this process maps it (its views then have length 0)']],
    explanation:
      'Unbinds a device. What is in the memory stays. A device that another process holds is refused (EBUSY) with the holders named.',
    examples: ['udax disable-device dax0.0'],
    load: async () => (await devices()).disableDevice,
  },
  {
    name: 'reconfigure-device',
    group,
    summary: 'choose what a device is: raw memory, a file system, or RAM',
    arguments: [['<device>', 'dax0.0']],
    options: [
      [
        '-m, --mode <MODE>',
        'devdax (raw mappings), famfs (a file system on it) or system-ram (memory to allocate from)',
      ],
      ['-f, --force', 'take memory blocks offline first'],
      ['-N, --no-online', 'system-ram: leave the memory offline'],
    ],
    explanation:
      'Unbinds the device from its driver and binds the one of the mode: device_dax, fsdev_dax or kmem. ' +
      'The contents of the memory survive, but for system-ram, whose users overwrite it.',
    examples: ['udax reconfigure-device -m famfs dax0.0', 'udax reconfigure-device -m devdax dax0.0'],
    load: async () => (await devices()).reconfigureDevice,
  },
  {
    name: 'online-memory',
    group,
    summary: 'bring the memory of a system-ram device online',
    arguments: [['<device>', 'dax1.0']],
    options: [['--no-movable', 'online it as kernel memory']],
    explanation:
      'Brings every memory block of a device in system-ram mode online, so that it can be allocated from.',
    examples: ['udax online-memory dax1.0'],
    load: async () => (await devices()).onlineMemory,
  },
  {
    name: 'offline-memory',
    group,
    summary: 'take the memory of a system-ram device offline',
    arguments: [['<device>', 'dax1.0']],
    explanation:
      'Takes every memory block of a device in system-ram mode offline, as a mode change needs. Refused while allocated.',
    examples: ['udax offline-memory dax1.0'],
    load: async () => (await devices()).offlineMemory,
  },
];
