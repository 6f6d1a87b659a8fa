import type { CommandSpec } from './spec.js';

const group = 'File systems:';
const media = () => import('../commands/media.js');
const device = ['<device>', 'a name (dax0.0), a device node (/dev/dax0.0) or an image file'] as const;

/** Commands about a file system as a whole. */
export const mediaCommands: readonly CommandSpec[] = [
  {
    name: 'mkfs',
    group,
    summary: 'make a famfs on a device',
    arguments: [device],
    options: [
      ['-f, --force', 'also over a famfs that is there (its files are lost)'],
      ['-k, --kill', 'with -f: only invalidate the superblock that is there'],
      [
        '-l, --loglen <LOGLEN>',
        'log length, a power of two from 8M (default 8M: 15,420 files and directories)',
      ],
    ],
    explanation:
      'Writes a famfs superblock and an empty log that C famfs accepts. The device must be in famfs mode and at least 16 MiB. ' +
      'Files can neither be deleted nor grow: to reclaim space copy out, mkfs -f, copy in.',
    examples: ['udax mkfs dax0.0', 'udax mkfs -l 256M dax0.0', 'udax mkfs -f pool.img'],
    load: async () => (await media()).mkfsCommand,
  },
  {
    name: 'fsck',
    group,
    summary: 'check a famfs; exit 1 when it is not clean',
    arguments: [device],
    options: [
      ['-v, --verbose', 'also show every field of the superblock and the log'],
      ['-B, --nbuckets <N>', 'free space in each of N buckets, as interleaved files see it'],
    ],
    explanation:
      'Checks the superblock, the log, every entry and every extent, and reports each error with its entry and byte offset. ' +
      'Reads only; works on files of other owners and on damaged ones.',
    examples: ['udax fsck dax0.0', 'udax fsck --json pool.img', 'udax fsck -B 8 dax0.0'],
    load: async () => (await media()).fsckCommand,
  },
  {
    name: 'info',
    group,
    summary: 'superblock, log, role and memory of a famfs',
    arguments: [device],
    explanation:
      'Shows what is written on the media, whether this host owns it (master) or only reads it (client), ' +
      'and what the memory under it is: coherent (its users share caches), persistent (survives power loss).',
    examples: ['udax info dax0.0', 'udax info --json pool.img'],
    load: async () => (await media()).info,
  },
  {
    name: 'df',
    group,
    summary: 'space and log slots, used and free',
    arguments: [device],
    explanation:
      'Shows how much of the device is allocated and how many of the log slots (one for each file and directory ever made) ' +
      'are taken, and warns when either runs low.',
    examples: ['udax df dax0.0'],
    load: async () => (await media()).df,
  },
  {
    name: 'logplay',
    group,
    summary: 'replay the log without effect and count what is in it',
    arguments: [device],
    options: [['-n, --dryrun', 'required: udax keeps the tree in memory, there is nothing to write it to']],
    explanation:
      'Reads the log as a mount would and tells how many files and directories it makes and which entries are wrong. Exit 1 when any is.',
    examples: ['udax logplay -n dax0.0', 'udax logplay -n --json pool.img'],
    load: async () => (await media()).logplay,
  },
];
