import type { CommandSpec } from './spec.js';

const group = 'Tools:';
const lab = () => import('../commands/lab.js');

/** The quickstart and the laboratory. */
export const toolCommands: readonly CommandSpec[] = [
  {
    name: 'up',
    group,
    summary: 'the quickstart: region, file system, files, a zero-copy read from a second process',
    options: [
      ['--once', 'do it, prove it, print it, exit 0'],
      ['-s, --size <SIZE>', 'size of the region when one is made (default 256M)'],
    ],
    explanation:
      'Makes what is missing and keeps what is there: a machine, a region, a device in famfs mode, a file system, a small tree of real ' +
      'files. Then a second process maps one file without copying it and checks its sha256. Stays until Ctrl-C unless --once.',
    notOnKernel:
      'the quickstart makes an emulated machine; on a real device: udax --kernel list, udax mkfs /dev/dax0.0, udax cp',
    examples: ['udax up', 'udax --root ./.udax up --once'],
    load: async () => (await import('../commands/up.js')).up,
  },
  {
    name: 'systemd-unit',
    group,
    summary: 'print the systemd unit of a mount or of a machine',
    arguments: [
      ['<what>', 'mount, or machine'],
      ['[device]', 'mount: a name (dax0.0), a device node or an image file'],
      ['[directory]', 'mount: where it is mounted'],
    ],
    options: [
      [
        '--ram <SIZE>',
        'machine: memory in /dev/shm with an empty famfs, made at each start and given back at each stop',
      ],
      ['-s, --size <SIZE>', 'machine: a region in a file with a famfs, made once and kept'],
      ['--read-only', 'mount: nothing is written through it'],
      ['--allow-other', 'mount: other users may use it too'],
      ['--metrics <PLACE>', 'mount: serve OpenMetrics at HOST:PORT, PORT (of 127.0.0.1) or unix:PATH'],
      ['--user', 'for systemctl --user: it is wanted by default.target'],
    ],
    explanation:
      'Prints a unit that systemd-analyze verify accepts; its first line says where to put it. It names this installation and --root by ' +
      'absolute paths. The unit of a mount is started when the mount is there, logs JSON to the journal, restarts after a crash, and publishes ' +
      'what was made when it is stopped; it waits for udax-machine.service, if there is one. docs/services.md has the whole recipe.',
    examples: [
      'udax --root /var/lib/udax systemd-unit machine --ram 4G > /etc/systemd/system/udax-machine.service',
      'udax --root /var/lib/udax systemd-unit mount --allow-other dax0.0 /mnt/models',
    ],
    load: async () => (await import('../commands/systemd-unit.js')).systemdUnit,
  },
  {
    name: 'inspect',
    group,
    summary: 'a web page of the machine, live: bus, memory map, volumes, arenas, events, counters',
    options: [
      ['--port <N>', 'port of 127.0.0.1 (default: a free one)'],
      ['--read-only', 'nothing can be changed through the page'],
    ],
    explanation:
      'Serves a page on 127.0.0.1 until Ctrl-C, and prints its URL; the token in it lets in whoever has it, and nobody else. Looking holds no ' +
      'device and takes no lock, so other processes work on as before. The one change that the page offers is the mode of a device. See docs/inspector.md.',
    examples: ['udax inspect', 'udax inspect --port 8080 --read-only', 'udax --json inspect'],
    load: async () => (await import('../commands/inspect.js')).inspect,
  },
  {
    name: 'replay',
    group,
    summary: 'replay kernel transcripts against the bus model, print what differs',
    arguments: [
      [
        '[files...]',
        'transcripts (JSON or gzip of it, as conformance/dax/SCHEMA.md says); none: all of conformance/dax',
      ],
    ],
    explanation:
      'Runs the steps recorded from a real kernel on a fresh model with the quirks of that kernel, and prints every answer that differs. ' +
      'Exit 1 when any does; Ctrl-C prints what was found so far and exits 130.',
    examples: ['udax replay', 'udax replay conformance/dax/region.json.gz'],
    load: async () => (await lab()).replay,
  },
  {
    name: 'explore',
    group,
    summary: 'search the bus model for broken invariants; find any bug real code had',
    options: [
      ['--scope <NAME>', 'which events and objects (--list shows the scopes)'],
      ['--devices <N>', 'regions with a device each, 1 to 8'],
      ['--drivers <LIST>', 'modules that can be loaded, separated by commas'],
      ['--depth <N>', 'most events in a row (default: as far as the time goes)'],
      ['--time <SECONDS>', 'how long to search at most (default 60)'],
      ['--mutant <NAME>', 'turn one known bug on, or all of them in turn: each must be caught'],
      ['--trace <EVENTS>', 'run these events instead of a search: "insmod fsdev_dax; ..."'],
      ['--emit-shell', 'print the trace as a shell script for a real /sys'],
      ['--dot', 'draw the state graph of a small scope for graphviz'],
      ['--mermaid', 'draw it for mermaid'],
      ['--list', 'scopes, events and mutants'],
    ],
    explanation:
      'Tries every order of bus events breadth first on the real model and checks the invariants after each: what it finds first is the ' +
      'shortest way to break one. Exit 1 for a violation; with --mutant, 0 when every mutant was caught.',
    examples: [
      'udax explore --time 10',
      'udax explore --mutant v9-match',
      'udax explore --mutant v9-match --emit-shell',
    ],
    load: async () => (await lab()).explore,
  },
];
