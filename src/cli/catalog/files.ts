import { AT_REST, atRest } from './at-rest.js';
import type { CommandSpec } from './spec.js';

const group = 'Files:';
const file = ['<file>', 'a file on a volume: dax0.0:/data/a, pool.img:/a, /dev/dax0.0:/a'] as const;
const files = ['<files...>', file[1]] as const;
const look = () => import('../commands/look.js');
const make = () => import('../commands/make.js');
const rewrite = () => import('../commands/rewrite.js');
const check = () => import('../commands/check.js');

const ownership = [
  ['-m, --mode <MODE>', 'permission bits in octal'],
  ['-u, --uid <UID>', 'owner (default: yours)'],
  ['-g, --gid <GID>', 'group (default: yours)'],
] as const;
const striping = [
  ['-N, --nstrips <N>', 'interleave over N strips (1 to 16)'],
  ['-B, --nbuckets <N>', 'of N equal parts of the device (1 to 64)'],
  ['-C, --chunksize <SIZE>', 'in chunks of SIZE (a power of two from 2M; default 2M)'],
] as const;

/** Commands about files on a volume. */
export const fileCommands: readonly CommandSpec[] = [
  {
    name: 'ls',
    group,
    summary: 'list a directory of a volume',
    arguments: [['<file>', 'dax0.0:/ or dax0.0:/data']],
    options: [
      ['-l, --long', 'mode, owner, group and size as well'],
      ['-R, --recursive', 'directories below it too'],
      ['--plain', 'the names of the log alone, as C famfs shows them, without the annex'],
    ],
    explanation:
      'Lists names in a directory, or the one file named. Works on volumes of other owners and needs no mount.',
    examples: ['udax ls dax0.0:/', 'udax ls -lR dax0.0:/data', 'udax ls -lR --json pool.img:/'],
    load: async () => (await look()).ls,
  },
  {
    name: 'cat',
    group,
    summary: 'write files of a volume to stdout',
    arguments: [files],
    explanation: 'Writes the bytes of files to stdout, straight from the mapped memory.',
    examples: ['udax cat dax0.0:/README.md', 'udax cat dax0.0:/table.arrow | sha256sum'],
    load: async () => (await look()).cat,
  },
  {
    name: 'getmap',
    group,
    summary: 'where the bytes of a file are on the device',
    arguments: [file],
    options: [
      ['--host', 'where the bytes are in files and devices of this host, to map them from any language'],
    ],
    explanation:
      'Shows the extents of a file, in file order, and how they interleave when it is striped. With --host it shows the pieces of the ' +
      'file in files and devices of this host: a program in any language maps them in this order and has the file, without a copy ' +
      '(docs/famfs.md has the JSON, examples/getmap programs in C and Go).',
    examples: [
      'udax getmap dax0.0:/data/a',
      'udax getmap --json pool.img:/a',
      'udax getmap --host --json dax0.0:/data/a',
    ],
    load: async () => (await look()).getmap,
  },
  {
    name: 'cp',
    group,
    summary: 'copy files and trees, either side on a volume',
    arguments: [
      [
        '<paths...>',
        'SRC... DST: files or directories, each local or DEVICE:/path; the last one is the destination',
      ],
    ],
    options: [
      ['-r, --recursive', 'directories: into DST/basename when DST is a directory, else as DST (as scp -r)'],
      ['-m, --mode <MODE>', 'permission bits in octal (default: those of the source)'],
      ['-u, --uid <UID>', 'owner on the volume (default: yours)'],
      ['-g, --gid <GID>', 'group on the volume (default: yours)'],
      ['-t, --threads <N>', 'accepted as famfs does; one thread fills the memory bus'],
      [
        '--salvage',
        'read what is left of a source whose superblock or log has lost memory; the rest is told',
      ],
      ...striping,
    ],
    explanation:
      'Copies into a volume, out of it, or from one to another. A file appears when it is whole: a copy that is interrupted leaves ' +
      'nothing behind. A file of the same size that is there is overwritten in place, which repairs failed memory under it; one of another size is ' +
      'replaced: its name means the new bytes, and the old ones keep their space until udax compact. `-` is stdin as SRC and stdout as DST; /dev/stdin, /dev/stdout and fifos work alike (from a ' +
      'pipe the file appears at its end). A DST that ends in / is a directory, and must be one. What cannot be copied (a fifo, a link to nowhere) is reported, the rest is copied, and the exit status is 1.',
    examples: [
      'udax cp table.arrow dax0.0:/',
      'udax cp -r ./models dax0.0:/',
      'udax cp -r dax0.0:/models ./out',
      'zcat table.gz | udax cp - dax0.0:/table',
    ],
    load: async () => (await import('../commands/cp.js')).cp,
  },
  {
    name: 'pack',
    group,
    summary: 'pack a directory of small files into a zip or tar whose members can be mapped',
    arguments: [
      ['<directory>', 'a directory of this host'],
      ['<file>', 'FILE.zip or FILE.tar, local or DEVICE:/path'],
    ],
    options: [['--format <zip|tar>', 'when the name says neither']],
    explanation:
      'Each file on a volume takes a unit of 2 MiB and a log entry; an archive takes them once. Members are stored at multiples of 4 KiB, so ' +
      "programs see them where they lie (volume.open('/x.zip').member('a/b')); any reader of zip or tar reads it. Modes, owners, times and " +
      'symbolic links are kept as the format can. The archive appears when it is whole; Ctrl-C leaves nothing. What is no file, directory ' +
      'or link is reported, the rest is packed, and the exit status is 1.',
    examples: ['udax pack ./site-packages dax0.0:/site-packages.zip', 'udax pack ./photos photos.tar'],
    load: async () => (await import('../commands/pack.js')).pack,
  },
  {
    name: 'creat',
    group,
    summary: 'make files of a given size',
    arguments: [['[file]', file[1]]],
    options: [
      ['-s, --size <SIZE>', 'bytes, for good: files neither grow nor shrink (required)'],
      ['-r, --random', 'fill it with a pattern that verify can check'],
      ['-S, --seed <SEED>', 'which pattern: 1 to 2^32-1 (needs -r)'],
      ['-M, --multi <SPEC...>', 'several files, each FILE,SIZE[,SEED], instead of one'],
      ['-t, --threads <N>', 'accepted as famfs does with --multi'],
      ...ownership,
      ...striping,
    ],
    explanation:
      'Makes a file of zeroes, or of a reproducible pattern (the same one as C famfs). A file of that size that is there is kept; ' +
      'of another size it is an error.',
    examples: [
      'udax creat -s 64M dax0.0:/scratch',
      'udax creat -s 1G -r -S 42 dax0.0:/check',
      'udax creat --multi dax0.0:/a,256M,42 --multi dax0.0:/b,64M',
    ],
    load: async () => (await make()).creat,
  },
  {
    name: 'mkdir',
    group,
    summary: 'make a directory on a volume',
    arguments: [file],
    options: [
      ['-p, --parents', 'make missing parents too; a directory that is there is no error'],
      ...ownership,
    ],
    explanation: 'Makes a directory, mode 0755 unless -m says otherwise.',
    examples: ['udax mkdir dax0.0:/data', 'udax mkdir -p dax0.0:/a/b/c'],
    load: async () => (await make()).mkdir,
  },
  {
    name: 'rm',
    group,
    summary: 'remove files and directories, and free their space',
    arguments: [files],
    options: [['-r, --recursive', 'directories too, with all that is in them'], ...atRest],
    explanation: `Writes a new log without them: their space and their log slots are free again. All of one device are removed, or none. ${AT_REST}`,
    examples: [
      'udax rm dax0.0:/old',
      'udax rm -r dax0.0:/models dax0.0:/tmp',
      'udax rm -r --dry-run pool.img:/models',
    ],
    load: async () => (await rewrite()).rm,
  },
  {
    name: 'mv',
    group,
    summary: 'give files and directories other names',
    arguments: [['<names...>', 'SRC... DST, all on one device; into DST when it is a directory']],
    options: [...atRest],
    explanation:
      'Renames as rename(2) does: a file replaces a file, a directory an empty directory; no data is copied. Paths on a volume have at most ' +
      `79 bytes, also those of what is in a directory that moves. Writes a new log. ${AT_REST}`,
    examples: ['udax mv dax0.0:/a dax0.0:/b', 'udax mv dax0.0:/x dax0.0:/y dax0.0:/data'],
    load: async () => (await rewrite()).mv,
  },
  {
    name: 'truncate',
    group,
    summary: 'make files shorter or longer',
    arguments: [files],
    options: [['-s, --size <SIZE>', 'bytes, at least 1 (required)'], ...atRest],
    explanation:
      'A shorter file gives back whole units of 2 MiB. A longer one takes more behind it, or elsewhere, and reads as zeroes there; an ' +
      `interleaved file stays interleaved. Writes a new log. ${AT_REST}`,
    examples: ['udax truncate -s 64M dax0.0:/scratch', 'udax truncate -s 1G --dry-run dax0.0:/scratch'],
    load: async () => (await rewrite()).truncate,
  },
  {
    name: 'clone',
    group,
    summary: 'a second file over the space of another (tests only)',
    arguments: [
      ['<source>', 'a file on a volume'],
      ['<destination>', 'a name on the same volume that is free'],
    ],
    options: [['-f, --force', 'required: fsck reports the overlap from then on']],
    explanation:
      'Appends a file with the extents of another one. Nothing is copied: a store to one shows in the other. famfs has it to test ' +
      'fsck; to have two files use cp.',
    examples: ['udax clone -f dax0.0:/a dax0.0:/also-a'],
    load: async () => (await make()).clone,
  },
  {
    name: 'pcq',
    group,
    summary: 'a queue between two processes in two files: create, put, get, info',
    arguments: [
      ['<action>', 'create, put, get or info'],
      ['<queue>', 'dax0.0:/q; its consumer file is dax0.0:/q.consumer'],
      ['[messages...]', 'of put; without any, stdin is cut into messages'],
    ],
    options: [
      ['-n, --nbuckets <N>', 'create: slots; one is always empty'],
      ['-b, --bucketsize <SIZE>', 'create: bytes of a slot, a power of two; 16 of them are not message'],
      ...ownership,
      ['-c, --count <N>', 'get: how many messages; put: how many times'],
      ['-a, --all', 'get: all that are there'],
      ['--no-wait', 'fail with EAGAIN instead of waiting while the queue is full or empty'],
      ['-T, --text', 'get: one line a message, without the zeroes that fill it up'],
    ],
    explanation:
      'The producer/consumer queue of famfs, byte-compatible with its pcq tool. One process puts, one takes; either may be killed and ' +
      'goes on where it was. get writes whole messages to stdout.',
    examples: [
      'udax pcq create -n 1024 -b 64 dax0.0:/q',
      'udax pcq put dax0.0:/q hello world',
      'udax pcq get -T -c 2 dax0.0:/q',
      'udax pcq info --json dax0.0:/q',
    ],
    load: async () => (await import('../commands/pcq.js')).pcq,
  },
  {
    name: 'arena',
    group,
    summary:
      'objects with keys and lifetimes in one file: create, stat, ls, get, put, rm, evict, fsck, bench',
    arguments: [
      ['<action>', 'create, stat, ls, get, put, rm, evict, fsck or bench'],
      ['<arena>', 'dax0.0:/kv'],
      ['[words...]', 'get: KEY; put: KEY [FILE]; rm: KEYS; ls: [PREFIX]; evict: SIZE'],
    ],
    options: [
      ['-s, --size <SIZE>', 'create: bytes of the file; bench: bytes of a value (default 1K)'],
      ['--slots <N>', 'create: the most objects (default: one for each 64K)'],
      ['--hosts <N>', 'create: the most hosts at once (default 1)'],
      ['-a, --align <SIZE>', 'create: values start at multiples of it (default 64)'],
      ['--max-key <N>', 'create: the longest key, bytes (default 255)'],
      ['-e, --eviction <POLICY>', 'create: when full, none (refuse), clock or fifo'],
      ...ownership,
      ['-t, --ttl <SECONDS>', 'put: the object expires after so long'],
      ['-n, --if-absent', 'put: fail with EEXIST instead of replacing'],
      ['-r, --repair', 'fsck: build lists, counts and index anew from the slots'],
      ['-c, --count <N>', 'bench: how many objects (default 10000)'],
    ],
    explanation:
      'An arena holds values that any process of any host finds by key and reads in place, without a server (docs/arena.md). get writes the ' +
      'value to stdout. bench puts objects of its own, reads and deletes them. Exit 1 when there is no such key, or fsck finds something.',
    examples: [
      'udax arena create -s 1GiB -e clock dax0.0:/kv',
      'udax arena put dax0.0:/kv greeting hello.txt',
      'udax arena get dax0.0:/kv greeting',
      'udax arena stat --json dax0.0:/kv',
    ],
    load: async () => (await import('../commands/arena.js')).arena,
  },
  {
    name: 'verify',
    group,
    summary: 'check a file made by creat -r',
    arguments: [file],
    options: [['-S, --seed <SEED>', 'the seed it was made with (required)']],
    explanation:
      'Compares every byte with the pattern of the seed, and names the first offset that differs. Exit 1 when one does.',
    examples: ['udax verify -S 42 dax0.0:/check'],
    load: async () => (await check()).verify,
  },
  {
    name: 'flush',
    group,
    summary: 'push a file out of the CPU caches to its memory',
    arguments: [files],
    explanation:
      'Makes what was stored through mappings reach the memory itself: durable where the memory is, visible to hosts that share no caches.',
    examples: ['udax flush dax0.0:/data/a'],
    load: async () => (await check()).flush,
  },
  {
    name: 'chkread',
    group,
    summary: 'compare read() of a file with its mapping',
    arguments: [files],
    explanation:
      'Reads every byte twice, by copy and through a mapping, and compares: a check of the path, and that no page of it is bad.',
    examples: ['udax chkread dax0.0:/data/a'],
    load: async () => (await check()).chkread,
  },
];
