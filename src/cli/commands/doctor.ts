import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statfsSync,
  unlinkSync,
} from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileSystemOf, memfdCreate, ofdLock, TMPFS_MAGIC } from '../../libc/index.js';
import { whyNoHugePages } from '../../memory/index.js';
import { mayAccess } from '../access.js';
import type { Context } from '../context.js';
import { AlreadyReported } from '../errors.js';
import { humanSize } from '../output/human.js';
import { formatTable } from '../output/table.js';
import { daxFindings } from './doctor-dax.js';
import { preload, pythonPackage } from './doctor-doors.js';
import { serviceFindings } from './doctor-services.js';
import type { Finding } from './finding.js';

/** `udax doctor` */
export async function doctor(context: Context): Promise<void> {
  const findings = [
    ...probes.map((probe) => probe()),
    ...daxFindings(context),
    kernelFamfs(),
    ...(await serviceFindings(context)),
  ];
  const columns = [{ heading: 'SUBJECT' }, { heading: 'VERDICT' }, { heading: 'FOUND' }];
  const rows = findings.map((row) => [row.subject, row.verdict, row.found]);
  context.show({ ok: findings.every(works), findings }, () => {
    const meanings = findings.map(({ subject, meaning }) => `${subject}: ${meaning}`);
    return [formatTable(columns, rows), '', ...meanings].join('\n');
  });
  if (!findings.every(works)) throw new AlreadyReported();
}

const works = (finding: Finding): boolean => finding.verdict !== 'missing';

const probes: readonly (() => Finding)[] = [
  host,
  systemCalls,
  locks,
  sharedMemory,
  hugePages,
  mappings,
  cacheFlush,
  fuse,
  preload,
  pythonPackage,
];

function host(): Finding {
  const found = `Linux ${release()}, Node ${process.versions.node}, ${cpus().length} CPUs, ${humanSize(totalmem())} RAM`;
  return {
    subject: 'host',
    verdict: 'ok',
    found,
    meaning: 'nothing is loaded into the kernel; no part of udax needs root',
  };
}

function systemCalls(): Finding {
  const subject = 'system calls';
  try {
    closeSync(memfdCreate('udax-doctor'));
    return {
      subject,
      verdict: 'ok',
      found: 'koffi loads, memfd_create works',
      meaning: 'memory can be mapped into Node',
    };
  } catch (error) {
    return {
      subject,
      verdict: 'missing',
      found: messageOf(error),
      meaning: 'without them there is no mapping: see the message',
    };
  }
}

function locks(): Finding {
  const subject = 'locks';
  try {
    return locksExclude()
      ? {
          subject,
          verdict: 'ok',
          found: 'OFD locks exclude',
          meaning: 'several processes can change one machine safely',
        }
      : {
          subject,
          verdict: 'missing',
          found: 'OFD locks do not exclude',
          meaning: 'this file system cannot hold a machine: choose another --root',
        };
  } catch (error) {
    return {
      subject,
      verdict: 'missing',
      found: messageOf(error),
      meaning: 'a machine needs OFD locks: choose another --root',
    };
  }
}

/** Tries it on a file of its own, which goes again without a descriptor: a process that may open no more has to be told so, too. */
function locksExclude(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'udax-doctor-'));
  const file = join(directory, 'lock');
  const opened: number[] = [];
  try {
    opened.push(openSync(file, 'w+'));
    opened.push(openSync(file, 'r+'));
    return ofdLock(opened[0]!, 'exclusive') && !ofdLock(opened[1]!, 'exclusive');
  } finally {
    for (const fd of opened) closeSync(fd);
    if (existsSync(file)) unlinkSync(file);
    rmdirSync(directory);
  }
}

function sharedMemory(): Finding {
  const subject = 'shared memory';
  if (!isTmpfs('/dev/shm')) {
    return {
      subject,
      verdict: 'limited',
      found: '/dev/shm is not a tmpfs',
      meaning: 'pools on disk files work, at the pace of the page cache',
    };
  }
  const { bavail, bsize } = statfsSync('/dev/shm');
  const why = whyNoHugePages();
  return {
    subject,
    verdict: why === undefined ? 'ok' : 'limited',
    found: `/dev/shm is a tmpfs with ${humanSize(bavail * bsize)} free, ${why === undefined ? 'in huge pages' : `no huge pages (${why})`}`,
    meaning:
      why === undefined
        ? 'udax create-region --ram SIZE makes memory there, in huge pages: scans and random reads of mapped files are as fast as of the heap'
        : 'udax create-region --ram SIZE makes memory there, in pages of 4 KiB: random reads of large files are slower; a tmpfs mounted huge=always mends that',
  };
}

function hugePages(): Finding {
  const subject = 'huge pages';
  const root = '/sys/kernel/mm/hugepages';
  const pools = listDirectory(root).map((name) => ({
    bytes: Number(/\d+/.exec(name)?.[0] ?? 0) * 1024,
    pages: Number(readText(join(root, name, 'nr_hugepages')) || 0),
  }));
  const reserved = pools.filter((pool) => pool.pages > 0);
  if (reserved.length === 0) {
    return {
      subject,
      verdict: 'limited',
      found: 'none reserved',
      meaning: 'hugetlbfs backings need some: sysctl vm.nr_hugepages=512 (root)',
    };
  }
  const found = reserved.map((pool) => `${pool.pages} of ${humanSize(pool.bytes)}`).join(', ');
  return { subject, verdict: 'ok', found, meaning: 'a file on hugetlbfs can back a region' };
}

function mappings(): Finding {
  const most = Number(readText('/proc/sys/vm/max_map_count') || 0);
  const verdict = most >= 65530 ? 'ok' : 'limited';
  return {
    subject: 'mappings',
    verdict,
    found: `vm.max_map_count is ${most}`,
    meaning: 'each piece of a striped file takes one; more: sysctl vm.max_map_count (root)',
  };
}

function cacheFlush(): Finding {
  const subject = 'cache flush';
  const flags = (/^flags\s*:(.*)$/m.exec(readText('/proc/cpuinfo'))?.[1] ?? '').split(' ');
  const instructions = ['clwb', 'clflushopt', 'clflush'].filter((name) => flags.includes(name));
  const libpmem = [
    '/usr/lib/x86_64-linux-gnu/libpmem.so.1',
    '/usr/lib64/libpmem.so.1',
    '/usr/lib/libpmem.so.1',
  ].find(existsSync);
  const found = `CPU: ${instructions.join(' ') || 'none known'}; libpmem: ${libpmem ?? 'not found'}`;
  return {
    subject,
    verdict: 'ok',
    found,
    meaning: 'processes of one host share caches and need no flush; msync serves disk files',
  };
}

function fuse(): Finding {
  const subject = 'FUSE';
  if (!existsSync('/dev/fuse')) {
    return {
      subject,
      verdict: 'limited',
      found: 'no /dev/fuse',
      meaning: 'volumes cannot be mounted here; udax cp, cat and the library work',
    };
  }
  if (!mayAccess('/dev/fuse', constants.R_OK | constants.W_OK)) {
    return {
      subject,
      verdict: 'limited',
      found: '/dev/fuse: no permission',
      meaning: 'mounting needs root, or chmod 666 /dev/fuse (by root) and fusermount3',
    };
  }
  const isRoot = process.geteuid?.() === 0;
  const helper = (process.env.PATH ?? '').split(':').find((place) => existsSync(join(place, 'fusermount3')));
  if (!isRoot && helper === undefined) {
    return {
      subject,
      verdict: 'limited',
      found: '/dev/fuse can be opened, no fusermount3',
      meaning: 'users other than root mount by fusermount3: install fuse3',
    };
  }
  return {
    subject,
    verdict: 'ok',
    found: `/dev/fuse can be opened${isRoot ? '' : `, ${helper}/fusermount3`}`,
    meaning: 'this host can serve FUSE file systems',
  };
}

function kernelFamfs(): Finding {
  const known = /\bfamfs\b/.test(readText('/proc/filesystems'));
  return {
    subject: 'kernel famfs',
    verdict: 'ok',
    found: known ? 'this kernel has famfs' : 'not in this kernel',
    meaning: known ? 'it can mount the media udax makes' : 'udax reads and writes the same media without it',
  };
}

function isTmpfs(directory: string): boolean {
  if (!existsSync(directory)) return false;
  const fd = openSync(directory, 'r');
  try {
    return fileSystemOf(fd).magic === TMPFS_MAGIC;
  } finally {
    closeSync(fd);
  }
}

/** Reads a file. Returns '' when this host has no such file or this user may not read it: both mean "not known". */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function listDirectory(path: string): string[] {
  return existsSync(path) ? readdirSync(path).sort() : [];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
