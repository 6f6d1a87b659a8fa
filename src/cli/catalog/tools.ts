import type { CommandSpec } from './spec.js';

const group = 'Tools:';

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
    examples: ['udax up', 'udax --root ./.udax up --once'],
    load: async () => (await import('../commands/up.js')).up,
  },
  {
    name: 'replay',
    group,
    summary: 'replay kernel transcripts against the bus model, print what differs',
    arguments: [['<files...>', 'transcripts (JSON, as conformance/dax/SCHEMA.md says)']],
    explanation:
      'Runs the steps recorded from a real kernel on a fresh model with the quirks of that kernel, and prints every answer that differs. ' +
      'Exit 1 when any does.',
    examples: ['udax replay ../shared/conformance/dax/region.json'],
    load: async () => (await import('../commands/replay.js')).replay,
  },
];
