import type { CommandSpec } from './spec.js';

const group = 'File systems:';
const mounting = () => import('../commands/mount.js');
const directory = ['<directory>', 'an existing directory'] as const;
const foreground = ['-f, --foreground', 'serve it from this process, until Ctrl-C or umount'] as const;
const allowOther = [
  '--allow-other',
  'other users may use it too (root, or user_allow_other in /etc/fuse.conf)',
] as const;
const logFormat = [
  '--log-format <FORMAT>',
  'of the log: text (default), or json: an object a line, with time, level, pid and message',
] as const;
const wirelog = ['--wirelog', 'with -f: every FUSE message on stderr'] as const;

/** Commands that show things as directories, by FUSE. */
export const mountCommands: readonly CommandSpec[] = [
  {
    name: 'mount',
    group,
    summary: 'mount a famfs as a directory (FUSE), for any program',
    arguments: [['<device>', 'a name (dax0.0), a device node (/dev/dax0.0) or an image file'], directory],
    options: [
      foreground,
      allowOther,
      ['--read-only', 'nothing is written through it'],
      ['--client-writes', 'on a client: files that are there can be written (see docs/multi-host.md)'],
      [
        '--settle <seconds>',
        'publish what was made when it was closed and unchanged for this long (default 1; 0: at close)',
      ],
      [
        '--zero-copy <when>',
        'auto (default), always or never: the kernel maps files to the device itself (Linux 7.4, a real dax device, root)',
      ],
      ['--no-xattr', 'without extended attributes: ls -l is faster'],
      [
        '--metrics <PLACE>',
        'serve OpenMetrics at HOST:PORT, PORT (of 127.0.0.1) or unix:PATH: requests, latencies, and all of udax metrics',
      ],
      logFormat,
      ['--plain', 'the names of the log, as C famfs shows them; what is published stays as it is'],
      wirelog,
    ],
    explanation:
      'Mounts a famfs with FUSE: every program reads its files, from the one memory. On the host that owns it they ' +
      'work as on any file system. What is new is published, with the size, mode and owner it has then, when it was closed and unchanged for a while (--settle); what is changed later goes into the annex of the volume. Serves in the background; ' +
      'the pid is in ROOT/mounts. A real dax device is handed to the kernel where that takes it (Linux 7.4), and every program maps its memory without ' +
      'copies (--zero-copy). See docs/mount.md for what works.',
    examples: ['udax mount dax0.0 /mnt', 'udax mount -f --read-only pool.img /mnt', 'udax umount /mnt'],
    load: async () => (await mounting()).mount,
  },
  {
    name: 'umount',
    group,
    summary: 'take a FUSE mount down, also of a daemon that was killed',
    arguments: [directory],
    options: [['-f, --force', 'also while it is in use: its users get errors']],
    explanation:
      'Takes the mount down and waits until its daemon has ended. A mount whose daemon is gone is removed, with what it left in the state ' +
      'directory. A busy mount is refused (EBUSY) without -f.',
    examples: ['udax umount /mnt', 'udax umount -f /mnt'],
    load: async () => (await mounting()).umount,
  },
  {
    name: 'mounts',
    group,
    summary: 'what udax has mounted on this host, who serves it, and whether it lives',
    explanation:
      'Lists the mounts that the kernel shows in this namespace, with the process that serves each, and what this state directory knows of others: ' +
      'mounts that were taken away while files of them are open. A dead one has lost its process: udax umount removes it.',
    examples: ['udax mounts', 'udax --json mounts'],
    load: async () => (await import('../commands/mounts.js')).mounts,
  },
  {
    name: 'metrics',
    group,
    summary: 'what there is to watch, as OpenMetrics text: devices, space, log slots, mounts, arenas',
    arguments: [
      ['[devices...]', 'whose volumes are told; none: all devices of the machine that are in famfs mode'],
    ],
    options: [
      ['--arena <DEVICE:/path...>', 'tell of these arenas too'],
      ['--listen <WHERE>', 'serve it at HOST:PORT, PORT (of 127.0.0.1) or unix:PATH until Ctrl-C'],
      logFormat,
    ],
    explanation:
      'Prints gauges and counters for Prometheus and its kin: docs/metrics.md has them all. It only reads. A volume that cannot be mounted has ' +
      'udax_volume_up 0, and the reason is on stderr. With --listen, GET /metrics looks again, at most once a second.',
    examples: [
      'udax metrics',
      'udax metrics dax0.0 --arena dax0.0:/kv',
      'udax metrics --listen 127.0.0.1:9464',
    ],
    load: async () => (await import('../commands/metrics.js')).metrics,
  },
  {
    name: 'publish',
    group,
    summary: 'publish what was made through a mount now, without waiting for it to settle',
    arguments: [['<where>', 'the directory of a mount, or a device: then all its mounts on this host']],
    explanation:
      'Publishes all that is closed, whatever process serves the mount, and makes the mounts of this host show what others stored past them. ' +
      'What could not be published is named, and stays in the mount; exit 1 then.',
    examples: ['udax publish /mnt', 'udax publish dax0.0'],
    load: async () => (await import('../commands/publish.js')).publish,
  },
  {
    name: 'run',
    group,
    summary: 'run a program that maps the files of a mount from the memory itself, without a copy',
    arguments: [['[command...]', 'what to run, behind --']],
    options: [
      [
        '--explain [FILE]',
        'say of each mapping of a udax file what happened and why: on stderr, or in FILE (--explain=FILE)',
      ],
    ],
    explanation:
      'Through a mount, mmap(2) makes a second copy of what it shows, in the page cache. Under udax run the same call maps the memory that the ' +
      'files lie in: one copy for all programs, at its speed. It preloads a small library into the command and its children (LD_PRELOAD). Who ' +
      'may not open the memory, and whatever is not certain, gets the mapping of the mount as before; so do statically linked and set-user-id ' +
      'programs. See docs/run.md.',
    examples: [
      'udax run -- python3 serve.py /mnt/model.safetensors',
      'udax run --explain -- rg --mmap needle /mnt',
      'udax run --explain=/tmp/mappings -- make',
    ],
    load: async () => (await import('../commands/run.js')).run,
  },
  {
    name: 'sysfs',
    group: 'Tools:',
    summary: "mount the machine's attribute tree, as the kernel has it in /sys",
    arguments: [directory],
    options: [foreground, allowOther, logFormat, wirelog],
    explanation:
      'Mounts bus/dax, devices, dev/char and module of this machine with FUSE; reads and writes of attributes do what they do in /sys.',
    notOnKernel: 'the kernel has its own tree in /sys/bus/dax',
    examples: ['udax sysfs /tmp/sys && cat /tmp/sys/bus/dax/devices/dax0.0/size'],
    load: async () => (await mounting()).sysfs,
  },
  {
    name: 'shell',
    group: 'Tools:',
    summary: 'run daxctl or another tool in a namespace where /sys and /dev are this machine (root)',
    arguments: [['[command...]', 'what to run, after --; default: $SHELL']],
    explanation:
      'Runs a command in a private mount namespace in which /sys shows the regions, devices and drivers of this machine and /dev their ' +
      'nodes, so that unmodified daxctl lists, creates, destroys, enables, disables and reconfigures them. The exit status is the one of the command.',
    notOnKernel: 'daxctl works on the real /sys as it is: run it without udax',
    examples: ['udax shell -- daxctl list -DRM', 'udax shell -- daxctl reconfigure-device -m devdax dax0.0'],
    load: async () => (await mounting()).shell,
  },
];
