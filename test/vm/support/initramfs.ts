import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CpioWriter } from './cpio.js';
import { cacheDirectory, LOADED_MODULES, modulesInOrder, type PackagedKernel } from './kernel.js';
import type { NewerTools } from './newer-tools.js';

/** npm and vitest run in the checkout. Compiled for vm:shell, this file is elsewhere. */
const repository = process.cwd();
const guest = path.join(repository, 'test/vm/guest');

/** Programs of this machine that a VM gets, with their shared libraries. */
const PROGRAMS = ['ndctl', 'daxctl'];
/** Libraries that are loaded by name at run time, so that ldd does not list them. Left out where not installed. */
const LIBRARIES = ['/usr/lib/x86_64-linux-gnu/libpmem.so.1'];

/**
 * Writes the archive that a VM boots from. The part that hardly changes (node, busybox, ndctl, kernel modules) is made once and
 * kept in the cache directory. It is joined with the part that changes (the built package, the programs in the VM).
 * Neither is compressed: unpacking 115 MB takes 0.3 s, and inflating it takes several.
 */
export function writeInitramfs(kernel: PackagedKernel, into: string, tools: NewerTools | null = null): void {
  fs.copyFileSync(baseArchive(kernel, tools), into);
  const part = `${into}.package`;
  writePackage(part);
  fs.appendFileSync(into, fs.readFileSync(part));
  fs.rmSync(part);
}

/** The archive of the system, named after the content it was made from. */
function baseArchive(kernel: PackagedKernel, tools: NewerTools | null): string {
  const files = new Map([...systemFiles(kernel), ...(tools?.files ?? [])]);
  const hash = createHash('sha256');
  for (const [name, source] of files) {
    const { size, mtimeMs } = fs.statSync(source);
    hash.update(`${name} ${source} ${size} ${mtimeMs}\n`);
  }
  const cache = cacheDirectory();
  const beginning = `base-${kernel.release}-`;
  const name = `${beginning}${hash.digest('hex').slice(0, 16)}.cpio`;
  const archive = path.join(cache, name);
  if (fs.existsSync(archive)) return archive;
  for (const old of fs.readdirSync(cache)) {
    if (old.startsWith(beginning)) fs.rmSync(path.join(cache, old), { force: true });
  }
  const part = path.join(cache, `.part-${process.pid}-${name}`);
  writeSystem(part, kernel, files);
  fs.renameSync(part, archive);
  return archive;
}

/** Destination and source of each file of the system. */
function systemFiles(kernel: PackagedKernel): Map<string, string> {
  const files = new Map<string, string>();
  files.set('usr/bin/node', fs.realpathSync(process.execPath));
  files.set('bin/busybox', which('busybox'));
  for (const program of PROGRAMS) files.set(`usr/bin/${program}`, which(program));
  for (const library of LIBRARIES) {
    if (fs.existsSync(library)) files.set(library.slice(1), fs.realpathSync(library));
  }
  for (const binary of [...files.values()]) {
    for (const library of librariesOf(binary)) files.set(library.slice(1), fs.realpathSync(library));
  }
  for (const module of modulesInOrder(kernel, LOADED_MODULES)) files.set(moduleName(module), module);
  return files;
}

function moduleName(file: string): string {
  return `lib/modules/${path.basename(file).replace(/\.(xz|zst|gz)$/, '')}`;
}

function writeSystem(archive: string, kernel: PackagedKernel, files: Map<string, string>): void {
  const cpio = new CpioWriter(archive);
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'mnt', 'run', 'root', 'etc', 'opt']) cpio.directory(name);
  for (const [name, source] of files) cpio.file(name, contentOf(source), 0o755);
  const order = modulesInOrder(kernel, LOADED_MODULES).map((file) => path.basename(moduleName(file)));
  cpio.file('lib/modules/order', Buffer.from(order.map((name) => `${name}\n`).join('')));
  cpio.file(
    'etc/passwd',
    Buffer.from('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n'),
  );
  cpio.close();
}

/** Not every version of the kernel loads compressed modules, so they are decompressed here. */
function contentOf(source: string): Buffer {
  const inflate = { '.xz': 'xz', '.zst': 'zstd', '.gz': 'gzip' }[path.extname(source)];
  if (inflate === undefined) return fs.readFileSync(source);
  return execFileSync(inflate, ['-dc', source], { maxBuffer: 2 ** 28 });
}

/** The built package as it would be installed, and the agent with its functions. */
function writePackage(archive: string): void {
  const cpio = new CpioWriter(archive);
  cpio.file('init', fs.readFileSync(path.join(guest, 'init')), 0o755);
  for (const name of ['package.json', 'bin', 'dist', 'native', ...runtimeDependencies()]) {
    addTree(cpio, path.join(repository, name), `udax/${name}`);
  }
  addTree(cpio, guest, 'udax/test-vm');
  cpio.file('udax/test-vm/posix.mjs', fs.readFileSync(path.join(repository, 'test/mounts/posix/agent.mjs')));
  cpio.symlink('usr/bin/udax', '/udax/bin/udax.js');
  // Needed by the first line of bin/udax.js.
  cpio.symlink('usr/bin/env', '/bin/busybox');
  cpio.close();
}

export function addTree(cpio: CpioWriter, source: string, name: string): void {
  const stat = fs.statSync(source);
  if (!stat.isDirectory()) {
    if (!/\.map$|\.d\.ts$|\.tsbuildinfo$/.test(name))
      cpio.file(name, fs.readFileSync(source), stat.mode & 0o777);
    return;
  }
  cpio.directory(name);
  for (const entry of fs.readdirSync(source)) addTree(cpio, path.join(source, entry), `${name}/${entry}`);
}

/** node_modules/... of everything the package needs to run, from the lock file; platform packages only where installed. */
function runtimeDependencies(): string[] {
  const lock = JSON.parse(fs.readFileSync(path.join(repository, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([name, { dev }]) => name !== '' && !dev && fs.existsSync(path.join(repository, name)))
    .map(([name]) => name);
}

function which(program: string): string {
  return execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
}

/** Shared libraries of a program and the loader, as ldd prints them; none of a static one. */
export function librariesOf(binary: string): string[] {
  try {
    const out = execFileSync('ldd', [binary], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return [...out.matchAll(/(\/\S+)\s+\(0x/g)].map(([, file]) => file!);
  } catch {
    return [];
  }
}
