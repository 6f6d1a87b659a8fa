import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MountedVolume } from './mounted.js';
import { findProgram } from './program.js';
import { explain, UNEXPLAINED } from './reasons.js';

/** The outcome of one suite. */
export interface Outcome {
  what: string;
  run: number;
  passed: number;
  /** Number of failures for each reason. */
  explained: Record<string, number>;
  /** Failures without a known reason: findings. */
  findings: string[];
}

export interface Suite {
  name: string;
  /** How to get the suite when it is missing; null when it is there. */
  missing(directory: string | undefined): string | null;
  outcomes(directory: string | undefined, told: (text: string) => void): Promise<Outcome[]>;
}

const MINUTE = 60_000;
const MIB = 2 ** 20;
const FSX_FILE = 256 * 1024;
/** Options with which fsx leaves out clones, holes and shifts, for file systems that have none. */
const FSX_PLAIN = ['-J', '-B', '-E', '-C', '-I', '-H', '-z', '-u', '-K', '-q'];
const FSX_OPERATIONS = 10_000;
/** The stressors of stress-ng's file system class that need no special files, links or other file systems. */
const STRESSORS =
  'access chdir chmod chown copy-file dentry dir dirdeep dirmany dup fallocate fcntl fiemap filename flock fpunch fsize fstat getdent handle hdd ' +
  'inode-flags io iomix lockf lockofd open sync-file touch utime seek mmap mmapaddr readahead revio sendfile splice aio';

/** Runs one program in its own mount, as one outcome. It passes with status 0 and a clean fsck. */
async function alone(
  what: string,
  files: Record<string, number>,
  settles: boolean,
  program: string,
  args: readonly string[],
): Promise<Outcome> {
  const volume = await MountedVolume.make(files, settles);
  let findings: string[] = [];
  try {
    const { status, output, hung } = await volume.run(program, args, 5 * MINUTE);
    if (hung) findings.push(`${what}: did not end in five minutes`);
    else if (status !== 0) findings.push(`${what}: status ${status}: ${output.slice(-1500)}`);
  } finally {
    findings = [...findings, ...(await volume.end()).map((problem) => `${what}: fsck: ${problem}`)];
  }
  return { what, run: 1, passed: findings.length === 0 ? 1 : 0, explained: {}, findings };
}

const fsx: Suite = {
  name: 'fsx',
  missing: (directory) =>
    findProgram('fsx', directory) ? null : 'ltp/fsx.c of xfstests: build it into DIR/fsx',
  async outcomes(directory) {
    const program = findProgram('fsx', directory)!;
    const often = ['-N', String(FSX_OPERATIONS)];
    const aligned = ['-Z', '-R', '-W', '-r', '4096', '-w', '4096'];
    return [
      await alone('fsx, a published file', { f: FSX_FILE }, true, program, [
        '-L',
        ...FSX_PLAIN,
        ...often,
        'f',
      ]),
      await alone('fsx, direct I/O', { f: FSX_FILE }, true, program, [
        '-L',
        ...FSX_PLAIN,
        ...aligned,
        ...often,
        'f',
      ]),
      await alone('fsx, opened and closed', { f: FSX_FILE }, true, program, [
        ...['-L', '-c', '20', '-f', '-X', ...FSX_PLAIN, '-N', '2000', 'f'],
      ]),
      await alone('fsx, a file in the making', {}, false, program, [...FSX_PLAIN, ...often, 'f']),
      await alone('fsx, in the making, any call', {}, false, program, ['-q', ...often, 'f']),
    ];
  },
};

const fsstress: Suite = {
  name: 'fsstress',
  missing: (directory) =>
    findProgram('fsstress', directory) ? null : 'ltp/fsstress.c of xfstests: build it into DIR/fsstress',
  async outcomes(directory) {
    const program = findProgram('fsstress', directory)!;
    const weights =
      'creat=10 write=10 read=10 mkdir=5 unlink=5 truncate=5 mread=5 mwrite=5 stat=5 getdents=5 fsync=1 rmdir=2 dwrite=5 dread=5';
    const mix = weights.split(' ').flatMap((weight) => ['-f', weight]);
    const work = ['-z', '-d', '.', '-p', '2', '-n', '3000', '-s', '1', ...mix];
    return [
      await alone('fsstress, settling at close', {}, true, program, work),
      await alone('fsstress, in the making', {}, false, program, work),
    ];
  },
};

const fio: Suite = {
  name: 'fio',
  missing: () => (findProgram('fio', undefined) ? null : 'the Debian package fio'),
  async outcomes() {
    const verify = (engine: string) => [
      ...[
        '--name=f',
        '--filename=f',
        `--size=${64 * MIB}`,
        '--rw=randwrite',
        '--bs=4k',
        `--ioengine=${engine}`,
      ],
      ...['--verify=crc32c', '--do_verify=1', '--verify_fatal=1', '--allow_file_create=0', '--io_size=64m'],
    ];
    const files = { f: 64 * MIB };
    const program = findProgram('fio', undefined)!;
    return [
      await alone('fio verify, pwrite', files, true, program, verify('psync')),
      await alone('fio verify, mmap', files, true, program, verify('mmap')),
    ];
  },
};

const stressNg: Suite = {
  name: 'stress-ng',
  missing: () => (findProgram('stress-ng', undefined) ? null : 'the Debian package stress-ng'),
  async outcomes(_directory, told) {
    const volume = await MountedVolume.make({}, false);
    const findings: string[] = [];
    let passed = 0;
    const stressors = STRESSORS.split(' ');
    try {
      for (const stressor of stressors) {
        told(`stress-ng ${stressor}`);
        const args = [`--${stressor}`, '1', '--timeout', '1', '--verify', '--temp-path', volume.path];
        const { status, output, hung } = await volume.run('stress-ng', args, 2 * MINUTE, '/');
        const failure = output.split('\n').find((line) => /fail:|error:/.test(line));
        if (hung) findings.push(`${stressor}: did not end in two minutes`);
        else if (status !== 0)
          findings.push(`${stressor}: status ${status}: ${failure ?? output.slice(-300)}`);
        else passed++;
      }
    } finally {
      findings.push(...(await volume.end()).map((problem) => `fsck: ${problem}`));
    }
    return [{ what: 'stress-ng', run: stressors.length, passed, explained: {}, findings }];
  },
};

const pjdfstest: Suite = {
  name: 'pjdfstest',
  missing: (directory) =>
    directory !== undefined && findProgram('pjdfstest', join(directory, 'pjdfstest'))
      ? null
      : 'github.com/pjd/pjdfstest: put it in DIR/pjdfstest and build pjdfstest there',
  async outcomes(directory, told) {
    const tests = join(directory!, 'pjdfstest', 'tests');
    const outcomes: Outcome[] = [];
    for (const { name: group } of readdirSync(tests, { withFileTypes: true }).filter((each) =>
      each.isDirectory(),
    )) {
      told(`pjdfstest ${group}`);
      outcomes.push(await pjdfstestGroup(group, join(tests, group)));
    }
    return outcomes;
  },
};

async function pjdfstestGroup(group: string, directory: string): Promise<Outcome> {
  const outcome: Outcome = { what: `pjdfstest ${group}`, run: 0, passed: 0, explained: {}, findings: [] };
  const volume = await MountedVolume.make({}, false);
  try {
    for (const script of readdirSync(directory)
      .filter((name) => name.endsWith('.t'))
      .sort()) {
      const { output, hung } = await volume.run('sh', [join(directory, script)], 3 * MINUTE);
      const lines = output.split('\n').filter((line) => /^(not )?ok /.test(line));
      const failures = lines.filter((line) => line.startsWith('not ok') && !/# TO[D]O/.test(line));
      outcome.run += lines.length;
      outcome.passed += lines.length - failures.length;
      if (hung) outcome.findings.push(`${basename(script)}: did not end in three minutes`);
      for (const [i, reason] of explain(failures, script).entries()) {
        if (reason === UNEXPLAINED) outcome.findings.push(`${script}: ${failures[i]}`);
        else outcome.explained[reason] = (outcome.explained[reason] ?? 0) + 1;
      }
    }
  } finally {
    outcome.findings.push(...(await volume.end()).map((problem) => `fsck: ${problem}`));
  }
  return outcome;
}

export const suites: readonly Suite[] = [stressNg, fio, fsx, fsstress, pjdfstest];
