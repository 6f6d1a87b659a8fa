import { AT_REST, atRest } from './at-rest.js';
import type { CommandSpec } from './spec.js';

const group = 'File systems:';
const media = () => import('../commands/media.js');
const space = () => import('../commands/space.js');
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
        'log length, a power of two from 8M to 4G (default 8M: 15,420 files and directories)',
      ],
    ],
    explanation:
      'Writes a famfs superblock and an empty log that C famfs accepts. The device must be in famfs mode and at least 16 MiB. ' +
      'Files keep their size, and space comes back only at rest: udax rm, mv, truncate and compact.',
    examples: ['udax mkfs dax0.0', 'udax mkfs -l 256M dax0.0', 'udax mkfs -f pool.img'],
    load: async () => (await media()).mkfsCommand,
  },
  {
    name: 'fsck',
    group,
    summary: 'check a famfs; exit 1 when it is not clean',
    arguments: [device],
    options: [
      ['-v, --verbose', 'also show every field of the superblock, the log and the annex'],
      ['-B, --nbuckets <N>', 'free space in each of N buckets, as interleaved files see it'],
    ],
    explanation:
      'Checks the superblock, the log, every entry and every extent, and the annex, and reports each error with its entry and byte offset, and what ' +
      'has lost its memory: pages that failed, bytes past the end of a region whose file was cut (udax cp --salvage reads the rest). ' +
      'Reads only; works on files of other owners and on damaged ones.',
    examples: ['udax fsck dax0.0', 'udax fsck --json pool.img', 'udax fsck -B 8 dax0.0'],
    load: async () => (await media()).fsckCommand,
  },
  {
    name: 'info',
    group,
    summary: 'superblock, log, role and memory of a famfs',
    arguments: [device],
    options: [['--plain', 'the names of the log alone, as C famfs shows them, without the annex']],
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
      'Shows how much of the device is taken and how many of the log slots (one for each file and directory), and warns when either ' +
      'runs low. Of the space: the units taken; what is lost because files take whole units; what living processes of this host have ' +
      'reserved for files that are not published yet; and what no name reaches (udax compact gives it back).',
    examples: ['udax df dax0.0', 'udax df --json pool.img'],
    load: async () => (await space()).df,
  },
  {
    name: 'du',
    group,
    summary: 'space that files and directories take',
    arguments: [['<files...>', 'dax0.0:/data, or a device for all of it']],
    options: [
      ['-s, --summarize', 'only a total for each argument'],
      ['-h, --human-readable', 'sizes like 2 MiB'],
    ],
    explanation:
      'Shows for each directory, with all that is in it, how many bytes of the device it takes, how many bytes its files have, how many are lost ' +
      'because files take whole units, and how many entries of the log. Help is udax du --help.',
    examples: ['udax du -s -h dax0.0:/models', 'udax du dax0.0', 'udax du -s --json pool.img:/a pool.img:/b'],
    load: async () => (await space()).du,
  },
  {
    name: 'compact',
    group,
    summary: 'move files together; leave out damaged log entries',
    arguments: [device],
    options: [
      [
        '--defragment',
        'move the data of plain files to the front, each into one piece; Ctrl-C leaves it whole',
      ],
      ['--drop-damaged', 'leave out log entries that are damaged and that no mount shows'],
      ...atRest,
    ],
    explanation:
      'Writes a new log when there is something to take back, and says so when there is not (removing frees space by itself). Moved data is ' +
      `stored in free space before a log names it. ${AT_REST}`,
    examples: [
      'udax compact dax0.0',
      'udax compact --defragment pool.img',
      'udax compact --dry-run --json dax0.0',
    ],
    load: async () => (await import('../commands/rewrite.js')).compact,
  },
  {
    name: 'logplay',
    group,
    summary: 'replay the log: count what is in it, or write the shadow tree of C famfs',
    arguments: [['[device]', device[1]]],
    options: [
      ['-n, --dryrun', 'only count, write nothing; with --json also every record of the annex'],
      ['--plain', 'with -n: the log alone, without the annex'],
      ['-S, --shadow <DIR>', 'write DIR/root: directories, and a YAML file for each file'],
      ['--daxdev <DEVICE>', 'the device, as C famfs names it'],
      ['-c, --client', 'accepted as famfs does: a shadow tree is the same for both roles'],
    ],
    explanation:
      'Reads the log as a mount would and tells how many files and directories it makes and which entries are wrong. Exit 1 when any is. ' +
      'With --shadow it makes the tree the famfs FUSE daemon serves, byte for byte; what is there already is compared, never rewritten, ' +
      'and nothing outside DIR/root is ever touched.',
    examples: [
      'udax logplay -n dax0.0',
      'udax logplay -n --json pool.img',
      'udax logplay --shadow ./shadow pool.img',
    ],
    load: async () => (await import('../commands/logplay.js')).logplay,
  },
  {
    name: 'take-over',
    group,
    summary: 'make this host the owner of a famfs that another host made',
    arguments: [device],
    options: [
      ['--from <UUID>', 'the old owner, as udax info shows it: refused when it is another one'],
      ['-f, --force', 'take it from whoever owns it'],
    ],
    explanation:
      'Only the owner writes. famfs cannot tell whether the old owner still lives, and two hosts that write destroy the file system: make ' +
      'sure that host is gone for good (or has become a client), then name it with --from, or force it. Nobody on this host may have the ' +
      'device open. A take-over that is cut short leaves a file system nobody writes; running it again completes it.',
    examples: [
      'udax take-over --from 11111111-2222-4333-8444-555555555555 /dev/dax0.0',
      'udax take-over -f pool.img',
    ],
    load: async () => (await media()).takeOverCommand,
  },
];
